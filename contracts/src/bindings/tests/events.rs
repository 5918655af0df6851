//! One of each event, and the log that announces it.

use alloy_primitives::{LogData, U256};
use alloy_sol_types::SolEvent;
use narrows_bisection::{ClaimId, Event, JobId, MatchId, Wei};
use narrows_commitment::{Digest, ProgramRoot, TensorRoot};

use super::super::abi::{IGame, IRegistry};
use super::super::{Target, address, number, pack_sums, root_words, word, words};
use super::maker::Maker;

impl Maker {
    /// One event of each kind.
    pub fn events(&mut self) -> Vec<Event> {
        let m = self;
        vec![
            Event::Registered { program: ProgramRoot(m.digest()) },
            Event::JobPosted {
                job: JobId(m.digest()),
                requester: m.account(),
                program: ProgramRoot(m.digest()),
                input_root: TensorRoot(m.digest()),
                fee: m.wei(),
                deadline: m.time(),
                input: m.bytes(),
            },
            Event::ClaimCommitted {
                job: JobId(m.digest()),
                executor: m.account(),
                number: m.u64(),
                commitment: m.digest(),
                committed_at: m.time(),
            },
            Event::ClaimPosted {
                claim: ClaimId(m.digest()),
                posted: m.posted(),
                number: m.u64(),
                window_end: m.time(),
                hard_end: m.time(),
                output: m.bytes(),
            },
            Event::ClaimLapsed { job: JobId(m.digest()), number: m.u64() },
            Event::ClaimFinal { claim: ClaimId(m.digest()), job: JobId(m.digest()) },
            Event::JobAwarded { job: JobId(m.digest()), claim: ClaimId(m.digest()) },
            Event::JobRefunded { job: JobId(m.digest()) },
            Event::MatchOpened {
                match_id: MatchId(m.digest()),
                claim: ClaimId(m.digest()),
                challenger: m.account(),
                number: m.u64(),
                commitment: m.digest(),
                bond: m.wei(),
            },
            Event::Committed {
                claim: ClaimId(m.digest()),
                challenger: m.account(),
                number: m.u64(),
                commitment: m.digest(),
            },
            Event::Revealed { match_id: MatchId(m.digest()), word: m.digest(), nodes: m.digests() },
            Event::Picked { match_id: MatchId(m.digest()), word: m.digest(), node: m.digest() },
            Event::SubTraced { match_id: MatchId(m.digest()), word: m.digest(), roots: m.roots() },
            Event::OperatorPicked { match_id: MatchId(m.digest()), word: m.digest(), position: m.u32() },
            Event::TilesRevealed { match_id: MatchId(m.digest()), word: m.digest(), tiles: m.bytes() },
            Event::Prepared { match_id: MatchId(m.digest()), word: m.digest(), list: m.digest() },
            Event::Named {
                match_id: MatchId(m.digest()),
                word: m.digest(),
                element: m.u32(),
                value: m.u32() as i32,
            },
            Event::Folded { match_id: MatchId(m.digest()), word: m.digest(), sums: m.sums() },
            Event::MatchWon { match_id: MatchId(m.digest()), claim: ClaimId(m.digest()) },
            Event::MatchLost { match_id: MatchId(m.digest()), claim: ClaimId(m.digest()) },
            Event::ClaimRefuted { claim: ClaimId(m.digest()), job: JobId(m.digest()), point: m.digest() },
            Event::RewardOpened { claim: ClaimId(m.digest()), number: m.u64(), challenger: m.account() },
            Event::RewardCollected { claim: ClaimId(m.digest()), winner: m.account(), amount: m.wei() },
            Event::Reclaimed { match_id: MatchId(m.digest()) },
            Event::Withdrawn { account: m.account(), amount: m.wei() },
        ]
    }
}

/// The log by which a contract announces an event.
pub fn log_of(event: &Event) -> (Target, LogData) {
    let id = |digest: &Digest| word(*digest);
    let amount = |wei: &Wei| U256::from(wei.0);
    let bytes = |bytes: &[u8]| alloy_primitives::Bytes::copy_from_slice(bytes);
    let data = match event {
        Event::Registered { program } => {
            let event = IRegistry::Registered { programRoot: id(&program.0) };
            return (Target::Registry, event.encode_log_data());
        }
        Event::JobPosted { job, requester, program, input_root, fee, deadline, input } => IGame::JobPosted {
            jobId: id(&job.0),
            requester: address(*requester),
            programRoot: id(&program.0),
            inputRoot: id(&input_root.0),
            fee: amount(fee),
            deadline: deadline.0,
            input: bytes(input),
        }
        .encode_log_data(),
        Event::ClaimCommitted { job, executor, number, commitment, committed_at } => IGame::ClaimCommitted {
            jobId: id(&job.0),
            executor: address(*executor),
            number: *number,
            commitment: id(commitment),
            committedAt: committed_at.0,
        }
        .encode_log_data(),
        Event::ClaimPosted { claim, posted, number, window_end, hard_end, output } => IGame::ClaimPosted {
            claimId: id(&claim.0),
            jobId: id(&posted.job.0),
            executor: address(posted.executor),
            number: *number,
            traceRoot: id(&posted.trace_root.0),
            outputRoot: id(&posted.output_root.0),
            windowEnd: window_end.0,
            hardEnd: hard_end.0,
            output: bytes(output),
        }
        .encode_log_data(),
        Event::ClaimLapsed { job, number } => {
            IGame::ClaimLapsed { jobId: id(&job.0), number: *number }.encode_log_data()
        }
        Event::ClaimFinal { claim, job } => {
            IGame::ClaimFinal { claimId: id(&claim.0), jobId: id(&job.0) }.encode_log_data()
        }
        Event::JobAwarded { job, claim } => {
            IGame::JobAwarded { jobId: id(&job.0), claimId: id(&claim.0) }.encode_log_data()
        }
        Event::JobRefunded { job } => IGame::JobRefunded { jobId: id(&job.0) }.encode_log_data(),
        Event::MatchOpened { match_id, claim, challenger, number, commitment, bond } => IGame::MatchOpened {
            matchId: id(&match_id.0),
            claimId: id(&claim.0),
            challenger: address(*challenger),
            number: *number,
            commitment: id(commitment),
            bond: amount(bond),
        }
        .encode_log_data(),
        Event::Committed { claim, challenger, number, commitment } => IGame::Committed {
            claimId: id(&claim.0),
            challenger: address(*challenger),
            number: *number,
            commitment: id(commitment),
        }
        .encode_log_data(),
        Event::Revealed { match_id, word, nodes } => {
            IGame::Revealed { matchId: id(&match_id.0), word: number(*word), nodes: words(nodes) }
                .encode_log_data()
        }
        Event::Picked { match_id, word, node } => {
            IGame::Picked { matchId: id(&match_id.0), word: number(*word), node: id(node) }.encode_log_data()
        }
        Event::SubTraced { match_id, word, roots } => {
            IGame::SubTraced { matchId: id(&match_id.0), word: number(*word), roots: root_words(roots) }
                .encode_log_data()
        }
        Event::OperatorPicked { match_id, word, position } => {
            IGame::OperatorPicked { matchId: id(&match_id.0), word: number(*word), position: *position }
                .encode_log_data()
        }
        Event::TilesRevealed { match_id, word, tiles } => {
            IGame::TilesRevealed { matchId: id(&match_id.0), word: number(*word), tiles: bytes(tiles) }
                .encode_log_data()
        }
        Event::Prepared { match_id, word, list } => {
            IGame::Prepared { matchId: id(&match_id.0), word: number(*word), list: id(list) }
                .encode_log_data()
        }
        Event::Named { match_id, word, element, value } => {
            IGame::Named { matchId: id(&match_id.0), word: number(*word), element: *element, value: *value }
                .encode_log_data()
        }
        Event::Folded { match_id, word, sums } => {
            IGame::Folded { matchId: id(&match_id.0), word: number(*word), sums: pack_sums(sums).into() }
                .encode_log_data()
        }
        Event::MatchWon { match_id, claim } => {
            IGame::MatchWon { matchId: id(&match_id.0), claimId: id(&claim.0) }.encode_log_data()
        }
        Event::MatchLost { match_id, claim } => {
            IGame::MatchLost { matchId: id(&match_id.0), claimId: id(&claim.0) }.encode_log_data()
        }
        Event::ClaimRefuted { claim, job, point } => {
            IGame::ClaimRefuted { claimId: id(&claim.0), jobId: id(&job.0), point: id(point) }
                .encode_log_data()
        }
        Event::RewardOpened { claim, number, challenger } => {
            IGame::RewardOpened { claimId: id(&claim.0), number: *number, challenger: address(*challenger) }
                .encode_log_data()
        }
        Event::RewardCollected { claim, winner, amount: paid } => {
            IGame::RewardCollected { claimId: id(&claim.0), winner: address(*winner), amount: amount(paid) }
                .encode_log_data()
        }
        Event::Reclaimed { match_id } => IGame::Reclaimed { matchId: id(&match_id.0) }.encode_log_data(),
        Event::Withdrawn { account, amount: paid } => {
            IGame::Withdrawn { account: address(*account), amount: amount(paid) }.encode_log_data()
        }
    };
    (Target::Game, data)
}

//! A disk that is full (attack 30): whoever writes is told so and does not panic, what was there before is there, and once there
//! is room it goes on. The disk is a limit on the size of files, which a process of its own is given.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{FEE, REQUESTER, World, program};
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, Event, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{
    Chain, ChainError, ClaimView, EmbeddedChain, Inbox, InboxError, JobView, LoggedEvent, Receipt,
    Transaction,
};

const START: BlockTime = BlockTime(1_000);
/// Names the folder to the process on the full disk.
const VARIABLE: &str = "NARROWS_TEST_FULL_DISK";
/// More than fits: the limit is 1 or 2 MiB, by the shell's unit.
const MANY: u64 = 4_000;

/// A chain that announces jobs for ever, a thousand bytes of input each.
struct Endless;

fn told(number: u64) -> LoggedEvent {
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&number.to_be_bytes());
    let event = Event::JobPosted {
        job: JobId(Digest(salt)),
        requester: REQUESTER,
        program: ProgramRoot::default(),
        input_root: Default::default(),
        fee: FEE,
        deadline: START,
        input: vec![number as u8; 1_000],
    };
    LoggedEvent { block: number, time: START, sender: REQUESTER, event }
}

impl Chain for Endless {
    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        Ok((cursor..MANY.min(cursor + 8)).map(told).collect())
    }

    fn parameters(&self) -> Parameters {
        unreachable!("a journal asks for events")
    }
    fn now(&self) -> BlockTime {
        unreachable!("a journal asks for events")
    }
    fn chain_id(&self) -> u64 {
        unreachable!("a journal asks for events")
    }
    fn game(&self) -> Account {
        unreachable!("a journal asks for events")
    }
    fn send(&mut self, _: Transaction) -> Result<Receipt, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn program(&self, _: ProgramRoot) -> Result<Option<Registered>, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn job(&self, _: JobId) -> Result<Option<JobView>, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn entry(&self, _: JobId, _: u64) -> Result<Option<Digest>, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn claim(&self, _: ClaimId) -> Result<Option<ClaimView>, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn match_state(&self, _: MatchId) -> Result<Option<StateHash>, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn owed(&self, _: Account) -> Result<Wei, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn locked(&self) -> Result<Wei, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn burned(&self) -> Result<Wei, ChainError> {
        unreachable!("a journal asks for events")
    }
    fn balance(&self, _: Account) -> Result<Wei, ChainError> {
        unreachable!("a journal asks for events")
    }
}

/// Runs the test `name` of this file in a process whose files end at 2048 units of the shell; what it said.
fn on_a_full_disk(name: &str, folder: &Path) -> String {
    let limited = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"";
    let this = std::env::current_exe().expect("this test");
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(this)
        .args(["--exact", name, "--nocapture"])
        .env(VARIABLE, folder)
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The number that the process said after a word.
fn number(said: &str, word: &str) -> u64 {
    let at = said.find(word).unwrap_or_else(|| panic!("no {word} in {said}"));
    let digits: String = said[at + word.len()..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[test]
fn a_journal_until_the_disk_is_full() {
    // Does nothing unless the test below starts it.
    let Some(folder) = std::env::var_os(VARIABLE) else { return };
    let (mut inbox, _) = Inbox::open(Path::new(&folder)).expect("a journal");
    let error = loop {
        let before = inbox.seen();
        match inbox.fetch(&Endless) {
            Ok(_) => assert!(inbox.seen() > before, "the disk is never full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, InboxError::Storage(_)) && !error.is_transient(), "{error}");
    assert!(error.to_string().contains("free the disk"), "{error}");
    println!("taken {}.", inbox.seen());
    // As a process that is killed: whatever is not on the disk is lost.
    std::process::exit(0);
}

#[test]
fn attack_30_a_journal_on_a_full_disk_says_so_and_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = number(&on_a_full_disk("a_journal_until_the_disk_is_full", folder.path()), "taken ");
    assert!((8..MANY).contains(&taken), "{taken}");
    let (mut inbox, before) = Inbox::open(folder.path()).expect("the journal");
    assert!(before.len() as u64 >= taken, "{} of {taken}: what was acted on is there", before.len());
    assert!(before.iter().zip(0..).all(|(event, number)| *event == told(number)));
    while inbox.seen() < MANY {
        inbox.fetch(&Endless).expect("there is room again");
    }
    drop(inbox);
    let (_, all) = Inbox::open(folder.path()).expect("the journal");
    assert_eq!(all, (0..MANY).map(told).collect::<Vec<_>>(), "none missing, none twice");
}

fn job(number: u64) -> Transaction {
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&number.to_be_bytes());
    let (program, deadline) = (program().root(), BlockTime(u64::MAX));
    let call = Call::PostJob { program, input: common::INPUT.to_vec(), salt: Digest(salt), deadline };
    Transaction { from: REQUESTER, value: FEE, call }
}

#[test]
fn a_chain_until_the_disk_is_full() {
    // Does nothing unless the test below starts it.
    let Some(folder) = std::env::var_os(VARIABLE) else { return };
    let mut chain = EmbeddedChain::open(Path::new(&folder)).expect("the chain");
    let error = loop {
        assert!(chain.block() < 100_000, "the disk is never full");
        if let Err(error) = chain.send(job(chain.block())) {
            break error;
        }
    };
    assert!(matches!(error, ChainError::Storage(_)), "{error}");
    println!("blocks {}.", chain.block());
    std::process::exit(0);
}

#[test]
fn attack_30_a_chain_on_a_full_disk_loses_no_transaction_that_stood() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    drop(World::with(EmbeddedChain::create(&path, Parameters::default(), START).expect("a chain")));
    let blocks = number(&on_a_full_disk("a_chain_until_the_disk_is_full", &path), "blocks ");
    let mut chain = EmbeddedChain::open(&path).expect("the chain");
    assert!(blocks > 8 && chain.block() >= blocks, "{} of {blocks}", chain.block());
    let posted = u128::from(chain.block()) - 1;
    assert_eq!(chain.locked(), Ok(Wei(posted * FEE.0)), "whole transactions");
    assert_eq!(chain.events_from(0).expect("events").len() as u64, chain.block());
    chain.send(job(chain.block())).expect("and it goes on");
}

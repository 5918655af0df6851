//! What disputes cost: fixed programs, inputs, accounts and salts, so that the figures are the same on every machine.

mod programs;

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::players::{Challenger, Executor, FirstDifference, Follower};
use narrows_bisection::{Account, BlockTime, Call, Event, MatchId, Parameters, Phase, Side, Trace, Wei};
use narrows_commitment::keccak;
use narrows_contracts::{Chain as _, EmbeddedChain, Receipt, Transaction};
use narrows_executor::adversary::DoctoredLayer;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{LayerIndex, Program};

const REQUESTER: Account = Account([0x51; 20]);
const EXECUTOR: Account = Account([0x52; 20]);
const CHALLENGER: Account = Account([0x53; 20]);

/// One call's cost.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which dispute.
    pub dispute: String,
    /// Which call, in which phase.
    pub call: String,
    /// Gas of the whole transaction.
    pub gas: u64,
    /// Bytes of calldata; none for sums.
    pub calldata: Option<usize>,
}

/// A dispute to be played: the program, its input, and the lie.
pub struct Case {
    /// What to call it.
    pub name: &'static str,
    /// The program.
    pub program: Program,
    /// The job's canonical input.
    pub input: Vec<u8>,
    /// Where the claim is wrong.
    pub layer: LayerIndex,
    /// The wrong element.
    pub element: usize,
}

/// Plays every case and gives what each call cost.
pub fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in programs::cases()? {
        play(&case, &mut rows).with_context(|| case.name.to_owned())?;
    }
    Ok(rows)
}

struct Table<'a> {
    chain: EmbeddedChain,
    name: &'static str,
    rows: &'a mut Vec<Row>,
    dispute: u64,
    transactions: u64,
    largest: usize,
}

impl Table<'_> {
    fn send(&mut self, from: Account, value: Wei, phase: Option<Phase>, call: Call) -> Result<Receipt> {
        let name = match phase {
            Some(phase) => format!("{} ({phase:?})", call.name()),
            None => call.name().to_owned(),
        };
        let receipt = self.chain.send(Transaction { from, value, call })?;
        let (gas, calldata) = (receipt.gas_used, Some(receipt.calldata_bytes));
        self.rows.push(Row { dispute: self.name.into(), call: name, gas, calldata });
        Ok(receipt)
    }

    /// A call of the dispute itself, counted into its sum.
    fn disputed(&mut self, from: Account, value: Wei, phase: Option<Phase>, call: Call) -> Result<Receipt> {
        let receipt = self.send(from, value, phase, call)?;
        self.dispute += receipt.gas_used;
        self.transactions += 1;
        self.largest = self.largest.max(receipt.calldata_bytes);
        Ok(receipt)
    }

    fn sum(&mut self, call: &str, gas: u64) {
        self.rows.push(Row { dispute: self.name.into(), call: call.into(), gas, calldata: None });
    }
}

fn play(case: &Case, rows: &mut Vec<Row>) -> Result<()> {
    let Case { program, input, .. } = case;
    let truth = Honest.trace(program, input.clone()).map_err(anyhow::Error::msg)?;
    let lie = DoctoredLayer { layer: case.layer, element: case.element, delta: 1 };
    let claimed = lie.trace(program, input.clone()).map_err(anyhow::Error::msg)?;
    let mut chain = EmbeddedChain::temporary(Parameters::default())?;
    for account in [REQUESTER, EXECUTOR, CHALLENGER] {
        chain.fund(account, Wei(100_000_000_000_000_000_000))?;
    }
    let parameters = chain.parameters();
    let mut table = Table { chain, name: case.name, rows, dispute: 0, transactions: 0, largest: 0 };
    let register = Call::Register {
        header: program.header_bytes().to_vec(),
        layers_root: program.layers_root(),
        constants_root: program.constants_tree().root(),
    };
    table.send(REQUESTER, Wei(0), None, register)?;
    let deadline = BlockTime(table.chain.now().0 + 1_000_000);
    let salt = keccak(b"gas");
    let job = Call::PostJob { program: program.root(), input: input.clone(), salt, deadline };
    let receipt = table.send(REQUESTER, Wei(1_000_000), None, job)?;
    let Some(Event::JobPosted { job, .. }) = receipt.events.first() else { anyhow::bail!("no job") };
    let call = Call::PostClaim {
        job: *job,
        trace_root: claimed.root(),
        output: claimed.output().to_vec(),
        path: claimed.output_path(),
    };
    let receipt = table.send(EXECUTOR, parameters.executor_bond, None, call)?;
    let Some(Event::ClaimPosted { claim, .. }) = receipt.events.first() else { anyhow::bail!("no claim") };
    let open = Call::Open { claim: *claim, commitment: keccak(b"commitment") };
    let receipt = table.disputed(CHALLENGER, parameters.challenger_bond, None, open)?;
    let Some(Event::MatchOpened { match_id, .. }) = receipt.events.first() else { anyhow::bail!("no match") };
    moves(&mut table, program, &claimed, &truth, *match_id)?;
    let (gas, transactions, largest) = (table.dispute, table.transactions, table.largest);
    table.sum(&format!("whole dispute, {transactions} transactions"), gas);
    table.sum("largest calldata, bytes", largest as u64);
    table.send(CHALLENGER, Wei(0), None, Call::Withdraw)?;
    Ok(())
}

fn moves(
    table: &mut Table<'_>,
    program: &Program,
    claimed: &Trace,
    truth: &Trace,
    id: MatchId,
) -> Result<()> {
    let mut follower = Follower::new(program, id);
    let executor = Executor { program, trace: claimed };
    let mut challenger = Challenger { program, trace: truth, choice: FirstDifference };
    for _ in 0..200 {
        let state = table.chain.match_state(id)?.context("no match")?.state;
        let (account, call) = match state.phase.turn() {
            Some(Side::Executor) => (EXECUTOR, executor.respond(id, &state)),
            Some(Side::Challenger) => (CHALLENGER, challenger.respond(&follower, &state)),
            None => {
                ensure!(state.phase == Phase::Won, "the lie won");
                return Ok(());
            }
        };
        let call = call.with_context(|| format!("no move in {:?}", state.phase))?;
        let receipt = table.disputed(account, Wei(0), Some(state.phase), call)?;
        receipt.events.iter().for_each(|event| follower.observe(program, event));
    }
    anyhow::bail!("the dispute does not end")
}

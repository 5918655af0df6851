//! A chain that forks, delays, loses and reorders, around the production mirror of the contracts.
//!
//! Every block keeps the state after it, so that a reorganisation is a step back. What happens to a transaction is drawn
//! from the seed; an account's own transactions keep their order, as nonces do.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use narrows_bisection::game::ids;
use narrows_bisection::{Account, Block, BlockTime, Call, Event, Game, MatchId, Parameters, Refusal, Wei};
use narrows_contracts::{LoggedEvent, Receipt, Transaction};

use super::rng::Rng;

/// The chain's number.
pub const CHAIN_ID: u64 = 31_337;
/// Where `Game` stands.
pub const GAME: Account = Account([0x6a; 20]);
/// Seconds from one block to the next; twice as many when a slot is missed.
pub const BLOCK_SECONDS: u64 = 12;
/// What everybody holds at first.
pub const FUNDS: u128 = 1 << 90;
/// The most transactions that the front-runner copies in a run.
const MAX_COPIES: u32 = 60;

/// What the chain does to those who use it. Chances are in 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Blocks that a transaction may wait in the pool.
    pub delay_blocks: u64,
    /// That a transaction is lost on the way to the pool, without a word.
    pub lost: u32,
    /// That a question or an answer is lost: a typed error.
    pub transport: u32,
    /// That a tick is answered by a node that is up to two blocks behind.
    pub late: u32,
    /// That an answer with events is cut short.
    pub short: u32,
    /// That a block is the first of another branch.
    pub reorg: u32,
    /// That a node is not woken in a block.
    pub asleep: u32,
}

/// Somebody who makes the blocks for a while: holds back what `victims` send.
#[derive(Debug, Clone, Default)]
pub struct Censor {
    /// Whose transactions.
    pub victims: BTreeSet<Account>,
    /// Seconds that are left to be spent in all.
    pub budget: u64,
    /// Seconds at most for one transaction.
    pub each: u64,
}

/// The state after a block.
#[derive(Debug, Clone)]
pub struct State {
    /// The contracts.
    pub game: Game,
    /// What everybody holds outside of them.
    pub purses: BTreeMap<Account, u128>,
}

impl State {
    /// Plays a transaction. `None`: it cannot be paid, so it is in no block.
    pub fn apply(&mut self, block: Block, tx: &Transaction) -> Option<Result<Vec<Event>, Refusal>> {
        let purse = self.purses.get(&tx.from).copied().unwrap_or_default();
        let left = purse.checked_sub(tx.value.0)?;
        let result = self.game.apply(block, tx.from, tx.value, &tx.call);
        if let Ok(events) = &result {
            self.purses.insert(tx.from, left);
            for event in events {
                if let Event::Withdrawn { account, amount } = event {
                    *self.purses.entry(*account).or_default() += amount.0;
                }
            }
        }
        Some(result)
    }

    /// All that an account holds or is owed.
    #[must_use]
    pub fn wealth(&self, account: Account) -> u128 {
        self.purses.get(&account).copied().unwrap_or_default() + self.game.owed(account).0
    }

    /// All the money there is.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.purses.values().sum::<u128>() + self.game.balance().0
    }
}

/// A block.
#[derive(Debug, Clone)]
pub struct SimBlock {
    /// Its time and base fee.
    pub block: Block,
    /// The state after it.
    pub state: Rc<State>,
    /// Its transactions, by number in the run, with what became of them.
    mined: Vec<(u64, Rc<Transaction>, Result<Receipt, Refusal>)>,
    /// Events up to its end, since genesis.
    pub events: usize,
}

/// A transaction in the pool.
#[derive(Debug, Clone)]
struct Waiting {
    id: u64,
    tx: Rc<Transaction>,
    /// The first block that may hold it.
    from_block: u64,
    /// The first time at which a censor lets it pass.
    not_before: u64,
}

/// Where a transaction is.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a block this deep, with what it did: 0 for the head.
    Mined(u64, Result<Receipt, Refusal>),
    /// In the pool.
    Pool,
    /// Nowhere: lost.
    Nowhere,
}

/// The chain.
#[derive(Debug)]
pub struct World {
    /// All blocks of the branch that stands; block 0 is genesis.
    pub blocks: Vec<SimBlock>,
    /// All its events, in order.
    pub log: Vec<LoggedEvent>,
    /// Confirmations that events need before a node sees them.
    pub confirmations: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// Who holds back whom.
    pub censor: Censor,
    /// Whoever moves in the last legal block of its turn only.
    pub slow: Option<Account>,
    /// Whoever copies every transaction and has its own placed first.
    pub front_runner: Option<Account>,
    /// Transactions handed over so far, by sender, the lost ones included.
    pub handed: BTreeMap<Account, u32>,
    /// Reorganisations so far.
    pub reorganised: u32,
    /// How many events stood through the reorganisation that took back events with enough confirmations.
    pub stood: Option<usize>,
    copies: u32,
    pool: Vec<Waiting>,
    next: u64,
    rng: Rng,
}

impl World {
    /// A chain with the contracts, and `accounts` that hold `FUNDS` each.
    ///
    /// # Panics
    /// When the parameters are out of range.
    #[must_use]
    pub fn new(
        parameters: Parameters,
        accounts: &[Account],
        confirmations: u64,
        faults: Faults,
        rng: Rng,
    ) -> Self {
        let game = Game::new(CHAIN_ID, GAME, parameters).expect("parameters in range");
        let purses = accounts.iter().map(|account| (*account, FUNDS)).collect();
        let block = Block { time: BlockTime(1_700_000_000), base_fee: Wei(10_000_000_000) };
        let genesis =
            SimBlock { block, state: Rc::new(State { game, purses }), mined: Vec::new(), events: 0 };
        Self {
            blocks: vec![genesis],
            log: Vec::new(),
            confirmations,
            faults,
            censor: Censor::default(),
            slow: None,
            front_runner: None,
            handed: BTreeMap::new(),
            reorganised: 0,
            stood: None,
            copies: 0,
            pool: Vec::new(),
            next: 0,
            rng,
        }
    }

    /// The head's number.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// The block `lag` below the head.
    #[must_use]
    pub fn behind(&self, lag: u64) -> &SimBlock {
        &self.blocks[self.blocks.len().saturating_sub(1 + lag as usize)]
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &SimBlock {
        self.behind(0)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_pool_empty(&self) -> bool {
        self.pool.is_empty()
    }

    /// What waits in the pool, for everybody to read.
    pub fn pool(&self) -> impl Iterator<Item = &Transaction> {
        self.pool.iter().map(|waiting| &*waiting.tx)
    }

    /// Hands a new transaction over; its number in the run. It may be lost.
    pub fn hand_over(&mut self, tx: Transaction) -> u64 {
        let id = self.next;
        self.next += 1;
        *self.handed.entry(tx.from).or_default() += 1;
        if !self.rng.chance(self.faults.lost) {
            self.enter(id, Rc::new(tx));
        }
        id
    }

    /// Offers a lost transaction again.
    pub fn offer_again(&mut self, id: u64, tx: &Transaction) {
        if !self.rng.chance(self.faults.lost) {
            self.enter(id, Rc::new(tx.clone()));
        }
    }

    fn enter(&mut self, id: u64, tx: Rc<Transaction>) {
        let from_block = self.height() + 1 + self.rng.upto(self.faults.delay_blocks);
        let mut not_before = 0;
        if self.censor.victims.contains(&tx.from) {
            let most = self.censor.each.min(self.censor.budget);
            let delay = self.rng.upto(most);
            self.censor.budget -= delay;
            not_before = self.head().block.time.0 + delay;
        }
        self.pool.push(Waiting { id, tx, from_block, not_before });
    }

    /// Where a transaction is, as a node `lag` blocks behind knows.
    #[must_use]
    pub fn place(&self, id: u64, lag: u64) -> Place {
        for (depth, block) in self.blocks.iter().rev().enumerate() {
            if let Some((_, _, result)) = block.mined.iter().find(|(mined, ..)| *mined == id) {
                return match (depth as u64).checked_sub(lag) {
                    Some(depth) => Place::Mined(depth, result.clone()),
                    None => Place::Pool,
                };
            }
        }
        if self.pool.iter().any(|waiting| waiting.id == id) { Place::Pool } else { Place::Nowhere }
    }

    /// Whether `account` has transactions on their way, other than `known`, as a node `lag` blocks behind knows.
    #[must_use]
    pub fn has_unknown(&self, account: Account, known: &[u64], lag: u64) -> bool {
        let recent = self.blocks.iter().rev().take(lag as usize).flat_map(|block| &block.mined);
        let recent = recent.filter(|(_, tx, _)| tx.from == account).map(|(id, ..)| *id);
        let waiting = self.pool.iter().filter(|waiting| waiting.tx.from == account).map(|waiting| waiting.id);
        recent.chain(waiting).any(|id| !known.contains(&id))
    }

    /// The next block, or another branch that is one block longer.
    pub fn advance(&mut self) {
        let most = self.confirmations.min(self.height());
        if most > 0 && self.rng.chance(self.faults.reorg) {
            let depth = 1 + self.rng.upto(most - 1);
            self.undo(depth, true);
            (0..depth).for_each(|_| self.mine());
        }
        self.mine();
    }

    /// Takes back `depth` blocks. Their transactions wait again, those that are `lossy` and unlucky aside.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn undo(&mut self, depth: u64, lossy: bool) {
        self.reorganised += 1;
        let kept = self.blocks.len() - depth as usize;
        assert!(kept > 0, "genesis stands");
        for block in self.blocks.split_off(kept) {
            for (id, tx, _) in block.mined {
                // Copies were placed by the maker of the block that is gone.
                let copied = self.front_runner == Some(tx.from);
                if !(copied || lossy && self.rng.chance(250)) {
                    self.enter(id, tx);
                }
            }
        }
        // Nonces: an account's transactions keep their order.
        self.pool.sort_by_key(|waiting| waiting.id);
        self.log.truncate(self.head().events);
    }

    /// Makes a block of what waits.
    pub fn mine(&mut self) {
        let parent = self.head().clone();
        let missed = if self.rng.chance(100) { 2 } else { 1 };
        let time = BlockTime(parent.block.time.0 + BLOCK_SECONDS * missed);
        // Between half and more than all of what the fee cap insures.
        let drift = 90 + u128::from(self.rng.upto(22));
        let base_fee = Wei((parent.block.base_fee.0 * drift / 100).clamp(1_000_000_000, 80_000_000_000));
        let block = Block { time, base_fee };
        let number = self.blocks.len() as u64;
        let mut state = (*parent.state).clone();
        let mut mined = Vec::new();
        let mut log = Vec::new();
        for waiting in self.choose(&parent, number, time) {
            let copy =
                self.front_runner.filter(|account| *account != waiting.tx.from && self.copies < MAX_COPIES);
            if let Some(from) = copy {
                self.copies += 1;
                let tx = Rc::new(Transaction { from, ..(*waiting.tx).clone() });
                let id = self.next;
                self.next += 1;
                play(&mut state, number, block, id, &tx, &mut mined, &mut log);
            }
            play(&mut state, number, block, waiting.id, &waiting.tx, &mut mined, &mut log);
        }
        let events = parent.events + log.len();
        self.log.extend(log);
        self.blocks.push(SimBlock { block, state: Rc::new(state), mined, events });
    }

    /// What goes into a block: every account's in its order, accounts in any order.
    fn choose(&mut self, parent: &SimBlock, number: u64, time: BlockTime) -> Vec<Waiting> {
        let mut stuck = BTreeSet::new();
        let mut queues: BTreeMap<Account, Vec<Waiting>> = BTreeMap::new();
        let mut rest = Vec::new();
        for waiting in std::mem::take(&mut self.pool) {
            let from = waiting.tx.from;
            let free = waiting.from_block <= number && waiting.not_before <= time.0;
            let held = self.slow == Some(from) && is_early(&parent.state.game, &waiting.tx.call, time);
            if free && !held && !stuck.contains(&from) {
                queues.entry(from).or_default().push(waiting);
            } else {
                // What a slow account holds back does not hold up its other moves: it sends them when it pleases.
                if !held {
                    stuck.insert(from);
                }
                rest.push(waiting);
            }
        }
        self.pool = rest;
        let mut queues: Vec<Vec<Waiting>> = queues.into_values().collect();
        self.rng.shuffle(&mut queues);
        queues.into_iter().flatten().collect()
    }
}

fn play(
    state: &mut State,
    number: u64,
    block: Block,
    id: u64,
    tx: &Rc<Transaction>,
    mined: &mut Vec<(u64, Rc<Transaction>, Result<Receipt, Refusal>)>,
    log: &mut Vec<LoggedEvent>,
) {
    let Some(result) = state.apply(block, tx) else { return };
    let result = result.map(|events| {
        let logged = events.iter().cloned();
        log.extend(logged.map(|event| LoggedEvent {
            block: number,
            time: block.time,
            sender: tx.from,
            event,
        }));
        Receipt {
            events,
            gas_used: 100_000,
            calldata_bytes: 0,
            block: number,
            time: block.time,
            base_fee: block.base_fee,
        }
    });
    mined.push((id, Rc::clone(tx), result));
}

/// The match that a move moves.
fn moved(game: &Game, call: &Call) -> Option<MatchId> {
    let (claim, number) = match call {
        Call::Reveal { claim, number, .. }
        | Call::Pick { claim, number, .. }
        | Call::Enter { claim, number, .. }
        | Call::PickOperator { claim, number, .. }
        | Call::RevealTiles { claim, number, .. } => (*claim, *number),
        Call::SubTrace { posted, number, .. }
        | Call::Prepare { posted, number, .. }
        | Call::Name { posted, number, .. }
        | Call::Fold { posted, number, .. }
        | Call::Segment { posted, number, .. } => (game.claim_id(posted), *number),
        _ => return None,
    };
    Some(ids::match_id(claim, number))
}

/// Whether the block after this one could still hold the move in time.
fn is_early(game: &Game, call: &Call, time: BlockTime) -> bool {
    let one = moved(game, call).and_then(|id| game.match_of(id));
    let deadline = one.and_then(|one| one.deadline(game.parameters()));
    deadline.is_some_and(|deadline| time.0 + 2 * BLOCK_SECONDS < deadline.0)
}

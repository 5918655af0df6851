//! A node with its journal and its way to the chain: woken, killed, started again from what is on disk.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use narrows_bisection::served::Served;
use narrows_bisection::signature::SigningKey;
use narrows_bisection::{Account, ClaimId, Posted};
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{NodeError as WatchtowerError, Temper, TraceSource, WatchtowerNode};
use narrows_commitment::keccak;
use narrows_contracts::{ChainError, Inbox, InboxError, RpcError};
use narrows_executor::node::{Conduct, ExecutorNode, NodeError as ExecutorError, Shelf};
use narrows_program::Program;

use super::port::{Kill, SimChain};
use super::rng::Rng;
use super::scenario::Serving;
use super::world::World;

/// What a node does.
#[derive(Clone)]
pub enum Role {
    /// Executes; its key signs what it serves.
    Executor(Arc<dyn Conduct>, SigningKey),
    /// Watches.
    Watchtower(Arc<dyn Temper>, Serving),
}

/// What a kill leaves of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// All of it.
    Kept,
    /// Nothing: the disk is gone.
    Lost,
    /// Some bytes are others.
    Corrupted,
}

/// All shelves of all executors, whichever process stocks them.
pub type Shelves = Arc<Mutex<Vec<Shelf>>>;

struct Source {
    shelves: Shelves,
    serving: Serving,
}

impl TraceSource for Source {
    fn fetch(&self, claim: ClaimId, _posted: &Posted) -> Option<Served> {
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let mut served = (*shelves.iter().find_map(|shelf| shelf.get(claim))?).clone();
        let middle = served.trace.len() / 2;
        match self.serving {
            Serving::True => {}
            Serving::Nothing => return None,
            Serving::Bent => served.trace[middle] ^= 4,
            Serving::Garbage => served.trace = vec![0xa5; middle],
            Serving::Forged => served.lists.iter_mut().for_each(|list| list.signature[3] ^= 1),
        }
        Some(served)
    }
}

enum Node {
    Executor(ExecutorNode),
    Watchtower(WatchtowerNode),
}

/// A node.
pub struct Actor {
    /// For people.
    pub name: &'static str,
    /// Whose it is.
    pub account: Account,
    /// Whether the invariants protect it.
    pub honest: bool,
    /// Its process's chain.
    pub chain: SimChain,
    /// How often it was woken.
    pub ticks: u32,
    /// Its ticks in which something happened.
    pub busy: Vec<u32>,
    /// How often it was killed.
    pub killed: u32,
    /// Actions that were refused at no cost, and transactions begun, in all its lives.
    pub refused: u32,
    /// Transactions begun in all its lives.
    pub begun: u32,
    role: Role,
    program: Arc<Program>,
    world: Rc<RefCell<World>>,
    shelves: Shelves,
    folder: PathBuf,
    node: Option<Node>,
    wakes: u64,
    confirmed: usize,
    rng: Rng,
}

impl Actor {
    /// A node that keeps its journals under `folder`.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "called in one place, each argument another thing")]
    pub fn new(
        name: &'static str,
        account: Account,
        role: Role,
        program: &Arc<Program>,
        world: &Rc<RefCell<World>>,
        shelves: &Shelves,
        folder: &Path,
        mut rng: Rng,
    ) -> Self {
        let honest = name.starts_with("honest");
        let chain = SimChain::new(Rc::clone(world), rng.fork());
        let mut actor = Self {
            name,
            account,
            honest,
            chain,
            ticks: 0,
            busy: Vec::new(),
            killed: 0,
            refused: 0,
            begun: 0,
            role,
            program: Arc::clone(program),
            world: Rc::clone(world),
            shelves: Arc::clone(shelves),
            folder: folder.join(name),
            node: None,
            wakes: 0,
            confirmed: 0,
            rng,
        };
        actor.start();
        actor
    }

    fn journal(&self) -> PathBuf {
        self.folder.join(self.killed.to_string())
    }

    /// A new process on the journal as it is. What cannot be read is deleted, as the error's text says.
    fn start(&mut self) {
        let path = self.journal();
        let journal = Inbox::open(&path).unwrap_or_else(|_| {
            std::fs::remove_dir_all(&path).expect("a folder of ours");
            Inbox::open(&path).expect("a new journal")
        });
        let programs = vec![Arc::clone(&self.program)];
        let secret = keccak(&self.account.0);
        self.node = Some(match &self.role {
            Role::Executor(conduct, key) => {
                let node = ExecutorNode::new(self.account, programs, Arc::clone(conduct), secret, journal);
                let node = node.signing(key.clone());
                self.shelves.lock().unwrap_or_else(PoisonError::into_inner).push(node.shelf().clone());
                Node::Executor(node)
            }
            Role::Watchtower(temper, serving) => {
                let source = Source { shelves: Arc::clone(&self.shelves), serving: *serving };
                let node = WatchtowerNode::new(
                    self.account,
                    programs,
                    Backend::Flex,
                    Arc::clone(temper),
                    secret,
                    journal,
                );
                Node::Watchtower(node.with_source(Arc::new(source)))
            }
        });
        self.chain = SimChain::new(Rc::clone(&self.world), self.rng.fork());
    }

    /// Ends the process as a power cut does: what is on disk at this moment is all that the next one has.
    ///
    /// # Panics
    /// When the disk fails.
    pub fn kill(&mut self, journal: Journal) {
        let old = self.journal();
        self.refused += std::mem::take(&mut self.chain.refused);
        self.begun += std::mem::take(&mut self.chain.begun);
        self.killed += 1;
        let new = self.journal();
        copy(&old, &new, journal);
        self.node = None;
        self.wakes = self.world.borrow().height() + 1 + self.rng.upto(4);
    }

    /// One tick, if the node is awake; starts it if it is down and due.
    ///
    /// # Panics
    /// When a node panics, or stops with an error that does not pass by itself.
    pub async fn wake(&mut self, kill: Option<(Kill, Journal)>) {
        if self.node.is_none() {
            if self.world.borrow().height() < self.wakes {
                return;
            }
            self.start();
        }
        self.chain.begin(kill.map(|(kill, _)| kill));
        let before = (self.chain.begun, self.chain.refused, self.confirmed);
        let mut gone = false;
        let done = match self.node.as_mut().expect("started above") {
            Node::Executor(node) => match node.tick(&mut self.chain).await {
                Ok(actions) => actions.len(),
                Err(error) => {
                    gone = matches!(&error, ExecutorError::Inbox(error) if is_gone(error));
                    self.judge(gone, executor_passes(&error), &error);
                    0
                }
            },
            Node::Watchtower(node) => match node.tick(&mut self.chain).await {
                Ok(actions) => actions.len(),
                Err(error) => {
                    gone = matches!(&error, WatchtowerError::Inbox(error) if is_gone(error));
                    self.judge(gone, watchtower_passes(&error), &error);
                    0
                }
            },
        };
        {
            let world = self.world.borrow();
            self.confirmed = world.behind(world.confirmations).events;
        }
        if done > 0 || before != (self.chain.begun, self.chain.refused, self.confirmed) {
            self.busy.push(self.ticks);
        }
        self.ticks += 1;
        if gone {
            // As the error's text says.
            self.kill(Journal::Lost);
            return;
        }
        if let Some((kill, journal)) = kill
            && (self.chain.is_dead() || kill == Kill::Between)
        {
            self.kill(journal);
        }
    }

    fn judge(&self, gone: bool, passes: bool, error: &dyn std::fmt::Display) {
        let fits = passes || gone && self.world.borrow().stood.is_some();
        assert!(fits || self.chain.is_dead() || !self.honest, "{} stops: {error}", self.name);
    }

    /// Transactions that all its processes began.
    #[must_use]
    pub fn all_begun(&self) -> u32 {
        self.begun + self.chain.begun
    }
}

/// Whether the journal is of a branch that is gone: its folder is to be deleted.
fn is_gone(error: &InboxError) -> bool {
    match error {
        InboxError::Diverged(_) => true,
        InboxError::Chain(ChainError::Rpc(error)) => matches!(error, RpcError::Reorganised { .. }),
        _ => false,
    }
}

fn executor_passes(error: &ExecutorError) -> bool {
    match error {
        ExecutorError::Chain(error) => error.is_transient(),
        ExecutorError::Inbox(error) => error.is_transient(),
        ExecutorError::Interrupted => false,
    }
}

fn watchtower_passes(error: &WatchtowerError) -> bool {
    match error {
        WatchtowerError::Chain(error) => error.is_transient(),
        WatchtowerError::Inbox(error) => error.is_transient(),
        WatchtowerError::Engine(_) | WatchtowerError::Interrupted => false,
    }
}

fn copy(from: &Path, to: &Path, journal: Journal) {
    std::fs::create_dir_all(to).expect("a folder");
    if journal == Journal::Lost {
        return;
    }
    for entry in std::fs::read_dir(from).expect("a journal") {
        let entry = entry.expect("a file");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target, journal);
        } else {
            let mut bytes = std::fs::read(entry.path()).expect("bytes");
            if journal == Journal::Corrupted {
                let middle = bytes.len() / 3;
                bytes.iter_mut().skip(middle).step_by(97).for_each(|byte| *byte ^= 0x10);
            }
            std::fs::write(target, bytes).expect("a copy");
        }
    }
}

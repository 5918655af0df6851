//! A deterministic simulator: real nodes with real journals on a chain that does everything a chain may do, and enemies.
//!
//! One seed is one run: what is drawn, in which order, and so every block. The rules are the production mirror's; the nodes
//! are the production nodes; only the chain's manners, the enemies and the kills are made up here.
//!
//! | module | what it holds |
//! |---|---|
//! | `rng` | the one source of chance |
//! | `world` | blocks, forks, the pool, censorship, front-running |
//! | `port` | a process's way to the chain, as `RpcChain` is one |
//! | `programs` | the tiny programs that are run |
//! | `scenario` | who takes part and what goes wrong, by seed |
//! | `scripts` | enemies that are no nodes, and the requester |
//! | `actor` | a node with its journal: killed, started again |
//! | `run` | the blocks of a run, and what must hold after each |

mod actor;
mod port;
mod programs;
mod rng;
mod run;
mod scenario;
mod scripts;
mod world;

pub use actor::{Journal, Role};
pub use port::{Kill, SimChain};
pub use programs::{PROGRAMS, input, program};
pub use rng::Rng;
pub use run::{Report, run};
pub use scenario::{Cast, Lie, Plan, Scenario, Serving, parameters};
pub use world::{Censor, Faults, World};

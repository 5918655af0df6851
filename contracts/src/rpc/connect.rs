//! Finds the contracts from the game's address, and checks that they are this build's.

use std::sync::Mutex;
use std::time::Instant;

use narrows_bisection::game::ids::parameters_hash;
use narrows_bisection::{Account, Wei};

use super::clock::Clock;
use super::follow::Follower;
use super::node::Node;
use super::sender::Sender;
use super::{Contracts, RpcChain, RpcConfig, RpcError};
use crate::artifacts::{self, Artifact};
use crate::{ChainError, views};

impl RpcChain {
    /// Reaches a node and checks the contracts that it shows: the chain, their code, and that the game binds the
    /// parameters that it names. Events are followed from block `from_block`, that of the deployment or an earlier one.
    ///
    /// # Errors
    /// When the node cannot be reached, serves another chain, or what is there is not this build's contracts.
    pub fn connect(config: RpcConfig, game: Account, from_block: u64) -> Result<Self, ChainError> {
        let node = Node::connect(config)?;
        let contracts = find(&node, game)?;
        let now: u64 = node.latest()?.timestamp.to();
        let follower = Mutex::new(Follower::new(from_block, node.config.log_range));
        let clock = Mutex::new(Clock::new(now, Instant::now()));
        tracing::info!(endpoint = node.client.endpoint(), chain = node.chain_id, %game, "connected");
        Ok(Self { node, contracts, sender: Sender::default(), follower, clock })
    }

    /// The address of `Registry`.
    #[must_use]
    pub const fn registry(&self) -> Account {
        self.contracts.registry
    }

    /// The address of `Referee`.
    #[must_use]
    pub const fn referee(&self) -> Account {
        self.contracts.referee
    }

    /// The number of the latest block.
    ///
    /// # Errors
    /// When the node fails.
    pub fn block(&self) -> Result<u64, ChainError> {
        self.node.height()
    }

    /// The latest block's base fee, in wei a gas.
    ///
    /// # Errors
    /// When the node fails.
    pub fn base_fee(&self) -> Result<Wei, ChainError> {
        self.node.base_fee()
    }
}

/// Reads the contracts' addresses and parameters from the game, and checks all of it.
pub(super) fn find(node: &Node, game: Account) -> Result<Contracts, ChainError> {
    check_code(node, "Game", game, &artifacts::GAME)?;
    let parameters = node.view(game, &views::parameters())?;
    parameters.check()?;
    if node.view(game, &views::parameters_hash())? != parameters_hash(&parameters) {
        return Err(RpcError::OtherParameters(game).into());
    }
    let registry = node.view(game, &views::registry())?;
    let referee = node.view(game, &views::referee())?;
    check_code(node, "Registry", registry, &artifacts::REGISTRY)?;
    check_code(node, "Referee", referee, &artifacts::REFEREE)?;
    Ok(Contracts { registry, referee, game, parameters })
}

/// Whether the code at an address is that of an artifact.
pub(super) fn check_code(
    node: &Node,
    contract: &'static str,
    address: Account,
    artifact: &Artifact,
) -> Result<(), ChainError> {
    let code = node.code(address)?;
    if code.is_empty() {
        return Err(RpcError::NoContract { contract, address }.into());
    }
    if artifact.is_deployed_as(&code) {
        Ok(())
    } else {
        Err(RpcError::OtherContract { contract, address }.into())
    }
}

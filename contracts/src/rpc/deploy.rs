//! Puts the contracts onto a chain.

use alloy_primitives::TxKind;
use narrows_bisection::{Account, Parameters, Wei};
use serde::{Deserialize, Serialize};

use super::node::{Message, Node};
use super::sender::Sender;
use super::types::TxReceipt;
use super::{RpcConfig, connect};
use crate::ChainError;
use crate::artifacts;
use crate::bindings::account;

/// Where a game and its contracts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain (EIP-155).
    pub chain_id: u64,
    /// The block from which events are to be followed.
    pub from_block: u64,
    /// Programs.
    pub registry: Account,
    /// Recomputes elements.
    pub referee: Account,
    /// Everything else.
    pub game: Account,
}

/// Deploys all contracts from `deployer`'s account, whose key `config` holds, and checks what then stands.
///
/// # Errors
/// When the parameters are out of range, the account cannot pay, or the node fails. What was deployed before the failure
/// stays, unused.
pub fn deploy(
    config: RpcConfig,
    deployer: Account,
    parameters: Parameters,
) -> Result<Deployment, ChainError> {
    parameters.check()?;
    let node = Node::connect(config)?;
    let mut sender = Sender::default();
    let mut blocks = Vec::new();
    let mut create = |name: &'static str, creation: Vec<u8>| {
        let data = creation.into();
        let message = Message { name, from: deployer, to: TxKind::Create, value: Wei(0), data };
        let (address, block) = sender.send(&node, message, |receipt| created(name, &receipt))?;
        tracing::info!(contract = name, %address, "deployed");
        blocks.push(block);
        Ok::<_, ChainError>(address)
    };
    let registry = create("Registry", artifacts::REGISTRY.creation.clone())?;
    let referee = create("Referee", artifacts::REFEREE.creation.clone())?;
    let game = create("Game", artifacts::game_creation(registry, referee, &parameters))?;
    let found = connect::find(&node, game)?;
    if (found.registry, found.referee, found.parameters) != (registry, referee, parameters) {
        return Err(ChainError::Nonsense(
            "the game that was deployed shows other contracts or parameters".into(),
        ));
    }
    let from_block = blocks.into_iter().min().unwrap_or_default();
    Ok(Deployment { chain_id: node.chain_id, from_block, registry, referee, game })
}

/// Where a contract was put, and in which block.
fn created(name: &str, receipt: &TxReceipt) -> Result<(Account, u64), ChainError> {
    if receipt.status.to::<u64>() != 1 {
        return Err(ChainError::Nonsense(format!("the deployment of {name} is refused in its block")));
    }
    let nowhere = || ChainError::Nonsense(format!("the deployment of {name} has no address"));
    Ok((account(receipt.contract_address.ok_or_else(nowhere)?), receipt.block_number.to()))
}

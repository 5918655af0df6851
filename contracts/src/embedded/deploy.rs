//! The first block: all contracts, from a fixed account, so that their addresses are always the same.

use narrows_bisection::{Account, Parameters, Wei};
use revm::ExecuteEvm;
use revm::context::result::{ExecutionResult, Output};
use revm::primitives::TxKind;
use revm::state::EvmState;

use super::records::Head;
use super::{CHAIN_ID, Config, Message, Store, machine, run, succeed};
use crate::{ChainError, artifacts};

/// Deploys, and never sends again.
const DEPLOYER: Account = Account(*b"narrows embedded 001");

/// Deploys the contracts; nothing is written.
pub(super) fn deploy(
    store: &Store,
    parameters: Parameters,
    head: &Head,
) -> Result<(Config, EvmState), ChainError> {
    let mut evm = machine(store, head.block, head);
    let mut create = |name, data: &[u8], nonce| {
        let message = Message { name, from: DEPLOYER, to: TxKind::Create, value: Wei(0), data };
        let result = run(&mut evm, &message, nonce)?;
        if let ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } = &result {
            return Ok(Account((*address).into()));
        }
        succeed(name, result)?;
        Err(ChainError::Nonsense(format!("{name} has no address")))
    };
    let registry = create("Registry", &artifacts::REGISTRY.creation, 0)?;
    let referee = create("Referee", &artifacts::REFEREE.creation, 1)?;
    let game = create("Game", &artifacts::game_creation(registry, referee, &parameters), 2)?;
    let contracts = artifacts::contracts_hash();
    let config = Config { chain_id: CHAIN_ID, parameters, registry, referee, game, contracts };
    Ok((config, evm.finalize()))
}

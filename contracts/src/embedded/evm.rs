//! One transaction through revm, under Osaka's rules.

use narrows_bisection::{Account, BlockTime, Wei};
use revm::context::result::{EVMError, ExecResultAndState, ExecutionResult, HaltReason, InvalidTransaction};
use revm::context::{BlockEnv, TxEnv};
use revm::database_interface::WrapDatabaseRef;
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, TxKind, U256, eip7825};
use revm::state::EvmState;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

use super::{CHAIN_ID, Store};
use crate::ChainError;

/// The most gas that a transaction may have (EIP-7825); every transaction here is given all of it.
pub(super) const TRANSACTION_GAS: u64 = eip7825::TX_GAS_LIMIT_CAP;

/// Gas of a block: a public chain's order of magnitude. A block here holds one transaction.
const BLOCK_GAS: u64 = 60_000_000;

/// An execution's result and what it changes.
pub(super) type Execution = ExecResultAndState<ExecutionResult<HaltReason>, EvmState>;

type Evm<'a> = MainnetEvm<MainnetContext<WrapDatabaseRef<&'a Store>>>;

/// A message to the machine.
pub(super) struct Message<'a> {
    /// What is done, for errors.
    pub name: &'static str,
    pub from: Account,
    pub to: TxKind,
    pub value: Wei,
    pub data: &'a [u8],
}

/// The machine in block `block` at `time`.
pub(super) fn machine(store: &Store, block: u64, time: BlockTime) -> Evm<'_> {
    let environment = BlockEnv {
        number: U256::from(block),
        timestamp: U256::from(time.0),
        gas_limit: BLOCK_GAS,
        ..BlockEnv::default()
    };
    Context::mainnet()
        .with_db(WrapDatabaseRef(store))
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.chain_id = CHAIN_ID;
        })
        .with_block(environment)
        .build_mainnet()
}

/// Runs `message` with the sender's next nonce. Nothing is written.
pub(super) fn run(
    evm: &mut Evm<'_>,
    message: &Message<'_>,
    nonce: u64,
) -> Result<ExecutionResult, ChainError> {
    let tx = TxEnv::builder()
        .caller(Address::new(message.from.0))
        .kind(message.to)
        .value(U256::from(message.value.0))
        .data(Bytes::copy_from_slice(message.data))
        .nonce(nonce)
        .chain_id(Some(CHAIN_ID))
        .gas_limit(TRANSACTION_GAS)
        .gas_price(0)
        .build()
        .map_err(|error| ChainError::Nonsense(format!("{}: {error:?}", message.name)))?;
    evm.transact_one(tx).map_err(|error| explain(message, error))
}

fn explain(message: &Message<'_>, error: EVMError<super::StorageError>) -> ChainError {
    match error {
        EVMError::Database(error) => ChainError::Storage(error),
        EVMError::Transaction(InvalidTransaction::LackOfFundForMaxFee { balance, .. }) => {
            ChainError::InsufficientFunds {
                account: message.from,
                needed: message.value,
                balance: Wei(u128::try_from(*balance).unwrap_or(u128::MAX)),
            }
        }
        EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        ) => ChainError::OutOfGas { call: message.name, limit: TRANSACTION_GAS },
        other => ChainError::Nonsense(format!("{}: {other}", message.name)),
    }
}

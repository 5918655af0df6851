//! One transaction through revm, under Osaka's rules.

use std::marker::PhantomData;

use narrows_bisection::{Account, Wei};
use revm::context::result::{EVMError, ExecResultAndState, ExecutionResult, HaltReason, InvalidTransaction};
use revm::context::{BlockEnv, ContextSetters, TxEnv};
use revm::database_interface::WrapDatabaseRef;
use revm::handler::{EvmTr, Handler, MainnetContext, validation};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, TxKind, U256, eip7825};
use revm::state::EvmState;
use revm::{Context, MainBuilder, MainContext, MainnetEvm};

use super::records::Head;
use super::{CHAIN_ID, StorageError, Store};
use crate::ChainError;

/// The most gas that a transaction may have (EIP-7825); every transaction here is given all of it.
pub(super) const TRANSACTION_GAS: u64 = eip7825::TX_GAS_LIMIT_CAP;

/// Gas of a block: a public chain's order of magnitude. A block here holds one transaction.
const BLOCK_GAS: u64 = 60_000_000;

/// An execution's result and what it changes.
pub(super) type Execution = ExecResultAndState<ExecutionResult<HaltReason>, EvmState>;

type Evm<'a> = MainnetEvm<MainnetContext<WrapDatabaseRef<&'a Store>>>;

/// Why an execution cannot even begin.
type Invalid = EVMError<StorageError, InvalidTransaction>;

/// Runs transactions that pay nothing for gas although blocks have a base fee, which contracts read.
struct Unpaid<'a>(PhantomData<&'a Store>);

impl<'a> Handler for Unpaid<'a> {
    type Evm = Evm<'a>;
    type Error = Invalid;
    type HaltReason = HaltReason;

    /// As on every chain, except that the gas price is not held to the base fee.
    fn validate_env(&self, evm: &mut Self::Evm) -> Result<(), Invalid> {
        let base_fee = std::mem::take(&mut evm.ctx.block.basefee);
        let checked = validation::validate_env(evm.ctx());
        evm.ctx.block.basefee = base_fee;
        checked
    }
}

/// A message to the machine.
pub(super) struct Message<'a> {
    /// What is done, for errors.
    pub name: &'static str,
    pub from: Account,
    pub to: TxKind,
    pub value: Wei,
    pub data: &'a [u8],
}

/// The machine in block `block`, at the time and the base fee of `head`.
pub(super) fn machine<'a>(store: &'a Store, block: u64, head: &Head) -> Evm<'a> {
    let environment = BlockEnv {
        number: U256::from(block),
        timestamp: U256::from(head.time.0),
        gas_limit: BLOCK_GAS,
        basefee: u64::try_from(head.base_fee.0).expect("checked when it is set and when it is read"),
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
    evm.ctx.set_tx(tx);
    Unpaid(PhantomData).run(evm).map_err(|error| explain(message, error))
}

fn explain(message: &Message<'_>, error: Invalid) -> ChainError {
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

//! Asking the deployed referee directly, for tests that hold it to the other implementations.

use alloy_primitives::{B256, Bytes, I256, U256};
use alloy_sol_types::SolCall;
use narrows_bisection::referee::View;
use narrows_bisection::{Opened, Wei, Witness};
use revm::primitives::{Address, TxKind};

use super::evm::Message;
use super::{EmbeddedChain, VIEWER, succeed};
use crate::ChainError;

alloy_sol_types::sol! {
    struct Roots { bytes32 input; bytes32 trace; uint256 traceDepth; bytes32 constants; uint256 constantsDepth; }
    struct OpenedTiles { bytes32 root; bytes32[] rootPath; bytes indices; bytes tiles; bytes32[] proof; }
    struct StepWitness { OpenedTiles a; OpenedTiles b; OpenedTiles params; }
    function step(Roots roots, bytes descriptor, uint256 element, StepWitness witness) returns (int256);
    function segment(Roots roots, bytes descriptor, uint256 element, uint256 index, StepWitness witness) returns (int256);
}

impl EmbeddedChain {
    /// What the contract `Referee` computes; see [`narrows_bisection::referee::step`], its mirror.
    ///
    /// # Errors
    /// When the referee refuses, or the chain fails.
    pub fn referee_step(
        &self,
        view: &View,
        descriptor: &[u8],
        element: u64,
        segment: Option<u32>,
        witness: &Witness,
    ) -> Result<i64, ChainError> {
        let roots = Roots {
            input: B256::new(view.input_root.0.0),
            trace: B256::new(view.trace_root.0.0),
            traceDepth: U256::from(view.layers_depth),
            constants: B256::new(view.constants_root.0),
            constantsDepth: U256::from(view.constants_depth),
        };
        let descriptor = Bytes::copy_from_slice(descriptor);
        let element = U256::from(element);
        let witness =
            StepWitness { a: opened(&witness.a), b: opened(&witness.b), params: opened(&witness.params) };
        let data = match segment {
            None => stepCall { roots, descriptor, element, witness }.abi_encode(),
            Some(index) => {
                segmentCall { roots, descriptor, element, index: U256::from(index), witness }.abi_encode()
            }
        };
        let to = TxKind::Call(Address::new(self.config.referee.0));
        let message = Message { name: "step", from: VIEWER, to, value: Wei(0), data: &data };
        let answer = succeed("step", self.execute(&message)?.result)?;
        let value = I256::try_from_be_slice(&answer).and_then(|value| i64::try_from(value).ok());
        value.ok_or_else(|| ChainError::Nonsense("the referee's answer is no 64-bit integer".into()))
    }
}

fn opened(opened: &Opened) -> OpenedTiles {
    OpenedTiles {
        root: B256::new(opened.root.0.0),
        rootPath: opened.root_path.iter().map(|d| B256::new(d.0)).collect(),
        indices: opened.indices.iter().flat_map(|i| i.to_be_bytes()).collect::<Vec<_>>().into(),
        tiles: Bytes::copy_from_slice(&opened.tiles),
        proof: opened.proof.0.iter().map(|d| B256::new(d.0)).collect(),
    }
}

//! Asking the deployed referee directly, for tests that hold it to the other implementations.

use narrows_bisection::{Call, Wei};
use narrows_commitment::Digest;
use revm::primitives::{Address, TxKind};

use super::evm::Message;
use super::{EmbeddedChain, VIEWER, succeed};
use crate::ChainError;
use crate::bindings;

impl EmbeddedChain {
    /// What the contract `Referee` answers when a game hands a call on to it, as ABI words.
    ///
    /// `context` are the words that the game puts behind: the claim's id, the number of layers, the job's input root, and
    /// what `IReferee.sol` says for each function; zero where it does not ask. The account that asks is 0, so statements
    /// count only when they are signed for a game at address 0.
    ///
    /// # Errors
    /// When the referee refuses, or the chain fails.
    pub fn ask_referee(&self, call: &Call, context: [Digest; 4]) -> Result<Vec<[u8; 32]>, ChainError> {
        let (name, data) = (call.name(), bindings::encode(call).1);
        let data = [data, context.map(|word| word.0).concat()].concat();
        let to = TxKind::Call(Address::new(self.config.referee.0));
        let message = Message { name, from: VIEWER, to, value: Wei(0), data: &data };
        let answer = succeed(name, self.execute(&message)?.result)?;
        let (words, rest) = answer.as_chunks::<32>();
        if rest.is_empty() {
            Ok(words.to_vec())
        } else {
            Err(ChainError::Nonsense(format!("{name} answers {answer}")))
        }
    }
}

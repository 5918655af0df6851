//! What an executor hands out about its claim: the whole trace, and its signature under the sub-traces of layers of several operators.
//!
//! Nothing here is trusted: the trace either hashes to the claimed root or is of no use, and a signature either recovers the
//! executor or is left out by whoever refutes.

use narrows_commitment::Digest;
use narrows_program::{LayerIndex, Program};
use serde::{Deserialize, Serialize};

use crate::game::ids;
use crate::{Account, ClaimId, Posted, Trace, TraceError, signature};

/// A signed sub-trace of one layer (PROTOCOL 4.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedList {
    /// The layer.
    pub layer: u32,
    /// The sub-trace's root.
    pub list: Digest,
    /// r | s | v.
    #[serde(with = "crate::hex")]
    pub signature: Vec<u8>,
}

/// A served claim: the trace file's bytes and the signed sub-traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Served {
    /// The trace file (see [`Trace::encode`]).
    #[serde(with = "crate::hex")]
    pub trace: Vec<u8>,
    /// One for each layer of several operators, if the executor signs.
    pub lists: Vec<SignedList>,
}

/// Where statements count: a chain, a contract and a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Venue {
    /// The chain's number.
    pub chain_id: u64,
    /// The contract.
    pub game: Account,
    /// The claim.
    pub claim: ClaimId,
}

impl Served {
    /// What the executor of `trace` serves; with a key, it signs the sub-traces.
    #[must_use]
    pub fn new(
        program: &Program,
        trace: &Trace,
        venue: Venue,
        key: Option<&k256::ecdsa::SigningKey>,
    ) -> Self {
        let sign = |key: &k256::ecdsa::SigningKey, layer: u32| {
            let list = trace.sub_tree(LayerIndex(layer)).root();
            let digest = ids::sub_trace_digest(venue.chain_id, venue.game, venue.claim, layer, list);
            SignedList { layer, list, signature: signature::sign(digest, key).to_vec() }
        };
        let several = (0..program.layers().len() as u32).filter(|i| program.layer(LayerIndex(*i)).count > 1);
        let lists = key.map(|key| several.map(|layer| sign(key, layer)).collect()).unwrap_or_default();
        Self { trace: trace.encode(program), lists }
    }

    /// The trace, if it is the one that the claim names.
    ///
    /// # Errors
    /// When the bytes are no trace of this program, or of another root than claimed.
    pub fn trace(&self, program: &Program, posted: &Posted) -> Result<Trace, TraceError> {
        let trace = Trace::decode(program, &self.trace)?;
        if trace.root() == posted.trace_root {
            Ok(trace)
        } else {
            Err(TraceError::File("not the one that was claimed"))
        }
    }

    /// The executor's own signature under the sub-trace of `layer`; `None` when it is missing or somebody else's.
    #[must_use]
    pub fn list(&self, layer: LayerIndex, posted: &Posted, venue: Venue) -> Option<(Digest, Vec<u8>)> {
        let signed = self.lists.iter().find(|signed| signed.layer == layer.0)?;
        let digest = ids::sub_trace_digest(venue.chain_id, venue.game, venue.claim, layer.0, signed.list);
        let by = signature::recover(digest, &signed.signature)?;
        (by == posted.executor).then(|| (signed.list, signed.signature.clone()))
    }
}

//! Revert data to refusals.

use alloy_sol_types::SolError;
use narrows_bisection::Refusal;

use super::abi::{IGame, IRegistry};

macro_rules! refusals {
    ($($contract:ident: $($name:ident)*;)*) => {
        /// Every refusal with its selector.
        pub(super) const REFUSALS: &[([u8; 4], Refusal)] =
            &[$($(($contract::$name::SELECTOR, Refusal::$name),)*)*];
    };
}

refusals! {
    IRegistry: BadHeader;
    IGame: UnknownProgram UnknownJob UnknownClaim UnknownMatch UnknownCommitment Exists JobClosed ClaimClosed
        WrongPhase WrongState WrongLength WrongValue WrongCount WrongIndex WrongDescriptor WrongStatement NotYourMove
        TooLate NotYet BadOpening BadSignature PaddingHonest OutOfRange FoldMismatch WitnessMissing WitnessExtra
        NoFault NoReward NotBetter NotACopy NothingOwed TransferFailed;
}

/// The refusal that revert data names; `None` when it is not exactly a selector of one.
#[must_use]
pub fn decode_refusal(data: &[u8]) -> Option<Refusal> {
    REFUSALS.iter().find(|(selector, _)| selector == data).map(|(_, refusal)| *refusal)
}

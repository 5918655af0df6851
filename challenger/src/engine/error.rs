//! Why the engine gives no answer.

use super::Backend;

/// What stops an engine from being built or from running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No backend has this name.
    #[error("this build has no backend `{0}`; use one of: {names}", names = Backend::names())]
    UnknownBackend(String),
    /// A backend gave another integer than arithmetic does.
    #[error("backend {backend} is not exact on this machine: {check}; use another backend")]
    Inexact {
        /// The backend.
        backend: Backend,
        /// The check of the self-test that it failed.
        check: String,
    },
    /// The input has the wrong size.
    #[error("the input has {given} bytes, the program reads {expected}; give the tensor's canonical bytes")]
    InputSize {
        /// Bytes that the program's input has.
        expected: u64,
        /// Bytes that were given.
        given: u64,
    },
    /// A tensor could not be read back from the device.
    #[error("cannot read a tensor back from the device: {0}; run again, or use another backend")]
    Device(String),
}

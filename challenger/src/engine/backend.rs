//! The seam to burn's backends: everything else sees a [`Device`] only.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use super::EngineError;

/// A burn backend that the engine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Backend {
    /// burn-ndarray, on the CPU.
    #[default]
    Ndarray,
    /// burn-flex, on the CPU: the successor of burn-ndarray.
    Flex,
}

impl Backend {
    /// Every backend of this build.
    pub const ALL: [Self; 2] = [Self::Ndarray, Self::Flex];

    /// The name that commands and reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndarray => "ndarray",
            Self::Flex => "flex",
        }
    }

    /// The device that tensors of this backend live on.
    pub(crate) fn device(self) -> Device {
        match self {
            Self::Ndarray => ndarray(),
            Self::Flex => Device::flex(),
        }
    }
}

/// Upstream deprecates burn-ndarray in favour of burn-flex; this is the only place that names it.
#[allow(deprecated)]
fn ndarray() -> Device {
    Device::new(burn_ndarray::NdArrayDevice::Cpu)
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = EngineError;

    fn from_str(name: &str) -> Result<Self, EngineError> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| EngineError::UnknownBackend(name.into()))
    }
}

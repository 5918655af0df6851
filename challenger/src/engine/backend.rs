//! The seam to burn's backends: everything else sees a [`Device`] and its carriers only.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Int, Tensor};

use super::EngineError;
use super::exact::Carrier;

/// A burn backend that the engine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Backend {
    /// burn-ndarray, on the CPU.
    #[default]
    Ndarray,
    /// burn-flex, on the CPU: the successor of burn-ndarray.
    Flex,
    /// NVIDIA GPUs, in builds with the feature `cuda`.
    #[cfg(feature = "cuda")]
    Cuda,
    /// GPUs through WebGPU's interface, in builds with the feature `wgpu`.
    #[cfg(feature = "wgpu")]
    Wgpu,
}

impl Backend {
    /// How many there are.
    const COUNT: usize = 2 + cfg!(feature = "cuda") as usize + cfg!(feature = "wgpu") as usize;

    /// Every backend of this build.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Ndarray,
        Self::Flex,
        #[cfg(feature = "cuda")]
        Self::Cuda,
        #[cfg(feature = "wgpu")]
        Self::Wgpu,
    ];

    /// The name that commands and reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndarray => "ndarray",
            Self::Flex => "flex",
            #[cfg(feature = "cuda")]
            Self::Cuda => "cuda",
            #[cfg(feature = "wgpu")]
            Self::Wgpu => "wgpu",
        }
    }

    /// The names of all backends of this build, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The device that tensors of this backend live on.
    pub(crate) fn device(self) -> Device {
        match self {
            Self::Ndarray => ndarray(),
            Self::Flex => Device::flex(),
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::cuda(0usize),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        }
    }

    /// Tells a backend how to go about the engine's products.
    ///
    /// Threads share regions, so that burn-flex's matrix library need not share each product among them once more. It then puts
    /// every product's columns in the order of its reading, too, which it does among threads for products of nearly a hundred
    /// rows only: doubles that are a page apart are read at two fifths of the speed.
    pub(crate) fn tune(self) {
        if self == Self::Flex {
            gemm::set_threading_threshold(usize::MAX);
        }
    }

    /// The float types whose matrix products are exact on this backend within their bounds.
    ///
    /// A GPU's products in single floats may run on units that shorten operands (TF32) or sums without saying so;
    /// doubles have no such form. WebGPU has no doubles, and no units of that kind for floats of 32 bits.
    pub(crate) const fn carriers(self) -> &'static [Carrier] {
        match self {
            Self::Ndarray | Self::Flex => &[Carrier::F32, Carrier::F64],
            #[cfg(feature = "cuda")]
            Self::Cuda => &[Carrier::F64],
            #[cfg(feature = "wgpu")]
            Self::Wgpu => &[Carrier::F32],
        }
    }
}

/// Upstream deprecates burn-ndarray in favour of burn-flex; this is the only place that names it.
#[allow(deprecated)]
fn ndarray() -> Device {
    Device::new(burn_ndarray::NdArrayDevice::Cpu)
}

/// The entries of a table that an index names. On burn-flex one row of a matrix is read three times as fast as a list; on
/// burn-ndarray it takes ten times as long.
pub(crate) fn looked_up(table: Tensor<1, Int>, index: Tensor<1, Int>) -> Tensor<1, Int> {
    let ([entries], [count]) = (table.dims(), index.dims());
    if table.device() == Device::flex() {
        table.reshape([1, entries]).gather(1, index.reshape([1, count])).reshape([count])
    } else {
        table.select(0, index)
    }
}

/// Whether what a product of floats can do is better left to it than to a pass over memory: sums of rows, as products with ones, and
/// differences with constants, as one term more. Sums of rows take three fifths of the time on burn-flex so, on burn-ndarray up to twice.
pub(crate) fn products_outrun_passes(device: &Device) -> bool {
    *device == Device::flex()
}

/// Whether a sum of single floats less one of its terms is what is left by rounding: a GPU's compiler may take it for the other
/// term.
pub(crate) fn rounds_as_written(device: &Device) -> bool {
    [Device::flex(), ndarray()].contains(device)
}

/// Whether a device's casts from doubles give a type's limits for what is beyond them. They are known to on burn-flex, where
/// clamping what a cast gives takes a fraction of clamping doubles; burn-ndarray stops.
pub(crate) fn casts_saturate(device: &Device) -> bool {
    *device == Device::flex()
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

//! Positions, wrapped by what they count.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

index! {
    /// An operator's position in its program.
    OperatorIndex(u32);
    /// A layer's position in its program.
    LayerIndex(u32);
    /// A constant's position in its program.
    ConstantIndex(u32);
    /// A tile's position in its tensor.
    TileIndex(u32);
    /// An element's position in its tensor's row-major order.
    ElementIndex(u32);
    /// A segment's position in an element's fold.
    SegmentIndex(u32);
}

//! Every bound the compiler puts on what it reads, in one place.

/// Largest model or sample file read into memory, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 32;
/// Most nodes in a graph.
pub const MAX_NODES: usize = 1 << 16;
/// Most elements in one initializer or constant.
pub const MAX_CONSTANT_ELEMENTS: usize = 1 << 28;
/// Most elements in one activation.
pub const MAX_ACTIVATION_ELEMENTS: usize = 1 << 26;
/// Most elements of all activations of a graph together.
pub const MAX_ALL_ACTIVATIONS: usize = 1 << 28;
/// Most weights of all nodes of a graph together, counted for each node that uses them.
pub const MAX_ALL_WEIGHTS: usize = 1 << 28;
/// Largest kernel side, stride, dilation or padding of a window.
pub const MAX_WINDOW: usize = 1 << 12;
/// Most multiply-adds of one inference over the whole graph.
pub const MAX_MULTIPLY_ADDS: u64 = 1 << 40;
/// Most elements in one sample array.
pub const MAX_ARRAY_ELEMENTS: usize = 1 << 28;
/// Longest header of a `.npy` file, in bytes.
pub const MAX_NPY_HEADER: usize = 1 << 16;
/// Most entries in a `.npz` file.
pub const MAX_NPZ_ENTRIES: usize = 1 << 10;
/// Most files read from a folder of samples.
pub const MAX_SAMPLE_FILES: usize = 1 << 16;
/// Most samples taken from one file or folder.
pub const MAX_SAMPLES: usize = 1 << 20;
/// Longest text taken from a file into an error message, in characters.
pub const MAX_QUOTED: usize = 120;
/// Most dimensions of an activation or a constant.
pub const MAX_RANK: usize = 6;
/// Most nodes that one node of the file is unrolled into.
pub const MAX_UNROLLED: usize = 1 << 14;
/// Most pieces that one node of the file is cut into.
pub const MAX_PIECES: usize = 1 << 8;
/// Most tokens of a prompt and what is generated after it.
pub const MAX_TOKENS: usize = 1 << 14;

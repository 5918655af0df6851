//! What layers export of a run: all that a claim says, and all that is hashed on the honest path.

use narrows_commitment::{Digest, Domain, TensorRoot, TensorTree, TraceRoot, Tree, tagged};
use narrows_program::{Layer, OperatorIndex, Program};

/// What a claim says of a run: the tree over layer leaves, and the public output. Everything else can be computed again from
/// the input, when somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exports {
    tree: Tree,
    output: Vec<u8>,
    hashed_bytes: u64,
}

impl Exports {
    /// Commits to a run whose outputs `output` gives, by hashing what layers export and nothing else.
    ///
    /// `output` is asked once for every exported operator, in order, and once more for the last; it must give the canonical
    /// bytes.
    #[must_use]
    pub fn new<'a>(program: &Program, output: &dyn Fn(OperatorIndex) -> &'a [u8]) -> Self {
        let (tree, hashed_bytes) = exports_tree(program, output);
        let last = OperatorIndex(program.header().operators - 1);
        Self { tree, output: output(last).to_vec(), hashed_bytes }
    }

    /// The trace root.
    #[must_use]
    pub fn root(&self) -> TraceRoot {
        TraceRoot(self.tree.root())
    }

    /// The public output, in canonical bytes.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The public output's root: the last layer's leaf, for the last layer exports the output alone.
    #[must_use]
    pub fn output_root(&self) -> TensorRoot {
        TensorRoot(self.tree.node(0, self.tree.leaf_count() - 1))
    }

    /// The path that shows the public output under the trace root.
    #[must_use]
    pub fn output_path(&self) -> Vec<Digest> {
        self.tree.path(self.tree.leaf_count() - 1)
    }

    /// Bytes of tensors that were hashed for it.
    #[must_use]
    pub fn hashed_bytes(&self) -> u64 {
        self.hashed_bytes
    }
}

/// The trace root of a run whose outputs `output` gives, by hashing what layers export and nothing else: the honest path.
///
/// `output` is asked once for every exported operator, in order, and must give its canonical bytes.
#[must_use]
pub fn exports_root<'a>(program: &Program, output: &dyn Fn(OperatorIndex) -> &'a [u8]) -> TraceRoot {
    TraceRoot(exports_tree(program, output).0.root())
}

/// The trace root of a run whose exports have the roots that `root` gives: it is asked once for every exported operator,
/// in order.
#[must_use]
pub fn root_of_exports(program: &Program, mut root: impl FnMut(OperatorIndex) -> TensorRoot) -> TraceRoot {
    let leaf =
        |layer: &Layer| exports_leaf(&layer.exported().map(|index| root(index).0).collect::<Vec<Digest>>());
    TraceRoot(Tree::new(program.layers().iter().map(leaf).collect()).root())
}

/// The tree over layer leaves, and how many bytes of tensors were hashed for it.
fn exports_tree<'a>(program: &Program, output: &dyn Fn(OperatorIndex) -> &'a [u8]) -> (Tree, u64) {
    let exports: Vec<&[u8]> = program.layers().iter().flat_map(Layer::exported).map(output).collect();
    let hashed = exports.iter().map(|bytes| bytes.len() as u64).sum();
    let mut roots = TensorTree::roots_of_bytes(&exports).into_iter();
    let leaf =
        |layer: &Layer| exports_leaf(&roots.by_ref().take(layer.exports.len()).collect::<Vec<Digest>>());
    (Tree::new(program.layers().iter().map(leaf).collect()), hashed)
}

/// The leaf of a layer whose exports have these roots, in order: the root itself if there is one, else
/// keccak(0x02 | n | roots) (SPEC 3).
pub(super) fn exports_leaf(roots: &[Digest]) -> Digest {
    if let [root] = roots {
        return *root;
    }
    // A layer has at most 32 operators.
    let count = [u8::try_from(roots.len()).expect("a layer has at most 32 exports")];
    let parts: Vec<&[u8]> = std::iter::once(&count[..]).chain(roots.iter().map(|root| &root.0[..])).collect();
    tagged(Domain::Exports, &parts)
}

//! Leaves of layers, held to a hash by hand.

use narrows_commitment::{Digest, TensorRoot, keccak};

use super::export_leaf;

#[test]
fn export_leaves_by_hand() {
    let root = |byte| TensorRoot(Digest([byte; 32]));
    assert_eq!(export_leaf(&[root(7)]), Digest([7; 32]));
    let mut preimage = vec![2, 3];
    preimage.extend([7; 32]);
    preimage.extend([8; 32]);
    preimage.extend([9; 32]);
    assert_eq!(export_leaf(&[root(7), root(8), root(9)]), keccak(&preimage));
}

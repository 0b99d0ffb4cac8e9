//! Merkle trees as in RFC 9162, section 2.1: a leaf is the SHA-256 of 0 and its bytes, a node that of 1 and
//! its two children, and a tree of n leaves splits at the largest power of two below n.

use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Digest = [u8; 32];

/// The leaf over an event's canonical bytes.
pub fn leaf(bytes: &[u8]) -> Digest {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

fn split(leaves: usize) -> usize {
    1 << (usize::BITS - 1 - (leaves - 1).leading_zeros())
}

/// The root over leaves; over none it is the SHA-256 of nothing.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

/// What leads from each leaf to the root: the sibling of every node on its way, from below.
pub fn paths(leaves: &[Digest]) -> Vec<Vec<Digest>> {
    if leaves.len() < 2 {
        return vec![Vec::new(); leaves.len()];
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let with = |half: &[Digest], other: &[Digest]| {
        let sibling = root(other);
        let mut paths = paths(half);
        paths.iter_mut().for_each(|path| path.push(sibling));
        paths
    };
    [with(left, right), with(right, left)].concat()
}

/// The root that a leaf with this index among `leaves` leads to by a path; none where the path has the wrong
/// length.
pub fn root_by(leaf: Digest, index: usize, leaves: usize, path: &[Digest]) -> Option<Digest> {
    if index >= leaves {
        return None;
    }
    if leaves == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (sibling, below) = path.split_last()?;
    let left = split(leaves);
    if index < left {
        Some(node(&root_by(leaf, index, left, below)?, sibling))
    } else {
        Some(node(sibling, &root_by(leaf, index - left, leaves - left, below)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::base::hex::{hex, unhex};
    use proptest::prelude::*;

    #[test]
    fn roots_are_those_of_the_rfc() {
        // Known answers of Certificate Transparency's reference vectors.
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves: Vec<Digest> = inputs.iter().map(|bytes| leaf(bytes)).collect();
        assert_eq!(hex(&root(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            hex(&root(&leaves[..1])),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex(&root(&leaves[..3])),
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
        );
        assert_eq!(hex(&root(&leaves)), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    proptest! {
        #![proptest_config(crate::kernel::base::proptests::config())]
        #[test]
        fn every_leaf_leads_to_the_root_and_no_other_does(
            count in 1usize..70,
            at in 0usize..70,
            other in 0usize..70,
        ) {
            let leaves: Vec<Digest> = (0..count).map(|n| leaf(&n.to_be_bytes())).collect();
            let (at, other) = (at % count, other % count);
            let way = &paths(&leaves)[at];
            prop_assert_eq!(root_by(leaves[at], at, count, way), Some(root(&leaves)));
            if other != at {
                prop_assert_ne!(root_by(leaves[other], at, count, way), Some(root(&leaves)));
                prop_assert_ne!(root_by(leaves[at], other, count, way), Some(root(&leaves)));
            }
            prop_assert_eq!(unhex::<32>(&hex(&leaves[at])), Some(leaves[at]));
        }
    }
}

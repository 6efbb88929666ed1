//! An ordered set by load that can be searched by room.
//!
//! The least loaded with enough room is a question about two numbers, which no sorted set answers in O(log n) where sizes differ. A search tree by load does, if every node
//! also knows the most room in its subtree: a treap, balanced by a fixed hash of the member's number.

const NONE: u32 = u32::MAX;

/// An ordered set of numbered members by load. Every operation is O(log n), expected.
pub(super) struct Tree {
    nodes: Vec<Node>,
    root: u32,
}

#[derive(Clone, Copy)]
struct Node {
    load: Load,
    /// Most room of any member of the subtree.
    most: u32,
    left: u32,
    right: u32,
}

/// A node that is in no tree has itself for a child.
const fn vacant(member: u32) -> Node {
    Node {
        load: Load::new(0, 0),
        most: 0,
        left: member,
        right: member,
    }
}

/// How full a worker is. Less load goes first; of two that are as loaded, the smaller: the larger may be needed for something large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Load {
    pub(super) used: u32,
    pub(super) capacity: u32,
}

impl Load {
    pub(super) const fn new(used: u64, capacity: u32) -> Self {
        // Beyond that no member has room.
        let used = if used > u32::MAX as u64 {
            u32::MAX
        } else {
            used as u32
        };
        Self { used, capacity }
    }

    pub(super) const fn room(self) -> u32 {
        self.capacity.saturating_sub(self.used)
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            root: NONE,
        }
    }
}

impl Tree {
    /// Puts a member in its place, or takes it out.
    pub(super) fn set(&mut self, member: u32, load: Option<Load>) {
        let old = self.get(member);
        if old == load {
            return;
        }
        if let Some(old) = old {
            self.root = self.without(self.root, (old, member));
            self.nodes[member as usize] = vacant(member);
        }
        if let Some(load) = load {
            self.grow(member);
            self.nodes[member as usize] = Node {
                load,
                most: load.room(),
                left: NONE,
                right: NONE,
            };
            self.root = self.with(self.root, member);
        }
    }

    /// The first member with that much room that is not to be skipped. O(log n) for each skipped one.
    pub(super) fn first(&self, room: u32, skip: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        self.first_in(self.root, room, skip)
    }

    /// Whether any member has that much room. O(1).
    pub(super) fn has(&self, room: u32) -> bool {
        self.root != NONE && self.most(self.root) >= room
    }

    fn get(&self, member: u32) -> Option<Load> {
        let node = self.nodes.get(member as usize)?;
        (node.left != member).then_some(node.load)
    }

    fn first_in(&self, node: u32, room: u32, skip: &mut impl FnMut(u32) -> bool) -> Option<u32> {
        if node == NONE || self.most(node) < room {
            return None;
        }
        let Node {
            load, left, right, ..
        } = self.nodes[node as usize];
        self.first_in(left, room, skip)
            .or_else(|| (load.room() >= room && !skip(node)).then_some(node))
            .or_else(|| self.first_in(right, room, skip))
    }

    fn grow(&mut self, member: u32) {
        let len = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.extend((len..=member).map(vacant));
    }

    fn most(&self, node: u32) -> u32 {
        if node == NONE {
            return 0;
        }
        self.nodes[node as usize].most
    }

    fn key(&self, node: u32) -> (Load, u32) {
        (self.nodes[node as usize].load, node)
    }

    /// Reckons a node anew from its children.
    fn pull(&mut self, node: u32) {
        let Node {
            load, left, right, ..
        } = self.nodes[node as usize];
        let children = self.most(left).max(self.most(right));
        self.nodes[node as usize].most = load.room().max(children);
    }

    fn with(&mut self, node: u32, new: u32) -> u32 {
        if node == NONE {
            return new;
        }
        if height(new) > height(node) {
            let (left, right) = self.split(node, self.key(new));
            self.nodes[new as usize].left = left;
            self.nodes[new as usize].right = right;
            self.pull(new);
            return new;
        }
        if self.key(new) < self.key(node) {
            let left = self.with(self.nodes[node as usize].left, new);
            self.nodes[node as usize].left = left;
        } else {
            let right = self.with(self.nodes[node as usize].right, new);
            self.nodes[node as usize].right = right;
        }
        // A new member can only add room.
        let most = self.nodes[new as usize].load.room();
        let slot = &mut self.nodes[node as usize].most;
        *slot = (*slot).max(most);
        node
    }

    fn without(&mut self, node: u32, key: (Load, u32)) -> u32 {
        if node == NONE {
            return NONE;
        }
        let Node { left, right, .. } = self.nodes[node as usize];
        if node == key.1 {
            return self.merge(left, right);
        }
        if key < self.key(node) {
            let left = self.without(left, key);
            self.nodes[node as usize].left = left;
        } else {
            let right = self.without(right, key);
            self.nodes[node as usize].right = right;
        }
        self.pull(node);
        node
    }

    fn split(&mut self, node: u32, key: (Load, u32)) -> (u32, u32) {
        if node == NONE {
            return (NONE, NONE);
        }
        let Node { left, right, .. } = self.nodes[node as usize];
        let halves = if self.key(node) < key {
            let (low, high) = self.split(right, key);
            self.nodes[node as usize].right = low;
            (node, high)
        } else {
            let (low, high) = self.split(left, key);
            self.nodes[node as usize].left = high;
            (low, node)
        };
        self.pull(node);
        halves
    }

    fn merge(&mut self, low: u32, high: u32) -> u32 {
        if low == NONE {
            return high;
        }
        if high == NONE {
            return low;
        }
        let top = if height(low) > height(high) {
            let right = self.merge(self.nodes[low as usize].right, high);
            self.nodes[low as usize].right = right;
            low
        } else {
            let left = self.merge(low, self.nodes[high as usize].left);
            self.nodes[high as usize].left = left;
            high
        };
        self.pull(top);
        top
    }
}

/// Where a member stands in the heap order of the treap: a fixed mix of its number's bits, and the number where they are equal.
const fn height(member: u32) -> (u32, u32) {
    let mut mixed = member.wrapping_mul(0x9E37_79B9);
    mixed ^= mixed >> 16;
    mixed = mixed.wrapping_mul(0x85EB_CA6B);
    mixed ^= mixed >> 13;
    (mixed, member)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_scan_finds(
            steps in prop::collection::vec((0u32..24, prop::option::weighted(0.8, (0u64..12, 0u32..12))), 1..200),
            skipped in 0u32..24,
        ) {
            let mut tree = Tree::default();
            let mut model = [None; 24];
            for (member, load) in steps {
                let load = load.map(|(used, capacity)| Load::new(used, capacity));
                tree.set(member, load);
                model[member as usize] = load;
                for room in 0..13 {
                    let scan = (0..24u32)
                        .filter(|w| *w != skipped)
                        .filter_map(|w| model[w as usize].map(|l: Load| (l, w)))
                        .filter(|(l, _)| l.room() >= room)
                        .min();
                    prop_assert_eq!(tree.first(room, &mut |w| w == skipped), scan.map(|(_, w)| w));
                }
            }
        }
    }

    #[test]
    fn it_stays_shallow() {
        fn depth(tree: &Tree, node: u32) -> u32 {
            let Some(node) = tree.nodes.get(node as usize) else {
                return 0;
            };
            1 + depth(tree, node.left).max(depth(tree, node.right))
        }
        let mut tree = Tree::default();
        for member in 0..10_000 {
            tree.set(member, Some(Load::new(0, 24)));
        }
        assert!(depth(&tree, tree.root) < 50);
    }
}

//! A heap whose members know their place in it, so that any of them can change or leave.

/// Children of a node. Four make the heap half as deep as two, and lie side by side in memory.
const ARITY: usize = 4;

/// A heap of numbered members, the smallest key first. Every operation is O(log n). `placed(member, place)` is called whenever a member gets another place;
/// members remember it, and name themselves by it.
pub(crate) struct Heap<K> {
    items: Vec<(K, u32)>,
}

impl<K> Default for Heap<K> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<K: Copy + Ord> Heap<K> {
    pub(crate) fn first(&self) -> Option<(K, u32)> {
        self.items.first().copied()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, u32)> {
        self.items.iter()
    }

    pub(crate) fn push(
        &mut self,
        key: K,
        member: u32,
        placed: &mut (impl FnMut(u32, u32) + ?Sized),
    ) {
        self.items.push((key, member));
        self.rise(self.items.len() - 1, placed);
    }

    pub(crate) fn remove(&mut self, place: u32, placed: &mut (impl FnMut(u32, u32) + ?Sized)) {
        let place = place as usize;
        if place >= self.items.len() {
            return;
        }
        self.items.swap_remove(place);
        if place < self.items.len() {
            self.settle(place, placed);
        }
    }

    /// The first member that is not to be skipped. Each skipped one costs O(1).
    pub(crate) fn first_but(&self, skip: &impl Fn(u32) -> bool) -> Option<(K, u32)> {
        let mut best = None;
        let mut open = vec![0];
        while let Some(place) = open.pop() {
            let Some(item) = self.items.get(place) else {
                continue;
            };
            if best.is_some_and(|(key, _)| key <= item.0) {
                continue;
            }
            if skip(item.1) {
                let first = place * ARITY + 1;
                open.extend(first..first + ARITY);
            } else {
                best = Some(*item);
            }
        }
        best
    }

    /// Gives the member at a place another key.
    pub(crate) fn update(
        &mut self,
        place: u32,
        key: K,
        placed: &mut (impl FnMut(u32, u32) + ?Sized),
    ) {
        let place = place as usize;
        let Some(item) = self.items.get_mut(place) else {
            return;
        };
        if item.0 == key {
            return;
        }
        let sinks = key > item.0;
        item.0 = key;
        if sinks {
            self.sink(place, placed);
        } else {
            self.rise(place, placed);
        }
    }

    fn settle(&mut self, place: usize, placed: &mut (impl FnMut(u32, u32) + ?Sized)) {
        if place > 0 && self.items[place].0 < self.items[(place - 1) / ARITY].0 {
            self.rise(place, placed);
        } else {
            self.sink(place, placed);
        }
    }

    fn rise(&mut self, mut place: usize, placed: &mut (impl FnMut(u32, u32) + ?Sized)) {
        let item = self.items[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.items[parent].0 <= item.0 {
                break;
            }
            self.put(place, self.items[parent], placed);
            place = parent;
        }
        self.put(place, item, placed);
    }

    fn sink(&mut self, mut place: usize, placed: &mut (impl FnMut(u32, u32) + ?Sized)) {
        let item = self.items[place];
        loop {
            let first = place * ARITY + 1;
            let mut least = place;
            let mut key = &item.0;
            let children = self.items.iter().enumerate().skip(first).take(ARITY);
            for (child, (other, _)) in children {
                if other < key {
                    (least, key) = (child, other);
                }
            }
            if least == place {
                break;
            }
            self.put(place, self.items[least], placed);
            place = least;
        }
        self.put(place, item, placed);
    }

    fn put(&mut self, place: usize, item: (K, u32), placed: &mut (impl FnMut(u32, u32) + ?Sized)) {
        self.items[place] = item;
        placed(item.1, u32::try_from(place).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_the_least(steps in prop::collection::vec((0u8..3, 0u32..20, 0u32..100), 1..300)) {
            let mut heap = Heap::default();
            let mut places = [0u32; 20];
            let mut model = std::collections::BTreeMap::new();
            for (what, member, key) in steps {
                let mut placed = |m: u32, p: u32| places[m as usize] = p;
                match (what, model.contains_key(&member)) {
                    (0, false) => {
                        heap.push((key, member), member, &mut placed);
                        model.insert(member, key);
                    }
                    (1, true) => {
                        let place = places[member as usize];
                        heap.remove(place, &mut |m, p| places[m as usize] = p);
                        model.remove(&member);
                    }
                    (2, true) => {
                        let place = places[member as usize];
                        heap.update(place, (key, member), &mut |m, p| places[m as usize] = p);
                        model.insert(member, key);
                    }
                    _ => {}
                }
                let least = model.iter().map(|(m, k)| (*k, *m)).min();
                let odd = model.iter().map(|(m, k)| (*k, *m)).filter(|(_, m)| m % 3 == 1).min();
                prop_assert_eq!(heap.first_but(&|m| m % 3 != 1).map(|(k, _)| k), odd);
                prop_assert_eq!(heap.first().map(|(k, _)| k), least);
                for (m, k) in &model {
                    prop_assert_eq!(heap.items[places[*m as usize] as usize], ((*k, *m), *m));
                }
            }
        }
    }
}

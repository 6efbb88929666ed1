//! A vector of things under keys that are never mistaken for one another, though their places are used again.

use std::marker::PhantomData;

use crate::keys::Key;

/// Values of type `T` by keys of type `K`. Every operation is O(1).
pub(crate) struct Arena<K, T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<u32>,
    keys: PhantomData<K>,
}

/// Aligned so that a task or a hold is one cache line: which of a million is next is hardly ever the neighbour.
#[repr(align(64))]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            keys: PhantomData,
        }
    }
}

impl<K: Key, T> Arena<K, T> {
    pub(crate) fn insert(&mut self, value: T) -> K {
        if let Some(index) = self.vacant.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return K::new(index, slot.generation);
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 0,
            value: Some(value),
        });
        K::new(index, 0)
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let slot = self.slots.get_mut(key.slot() as usize)?;
        if slot.generation != key.generation() {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.vacant.push(key.slot());
        Some(value)
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let slot = self.slots.get(key.slot() as usize)?;
        slot.value
            .as_ref()
            .filter(|_| slot.generation == key.generation())
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.slot() as usize)?;
        slot.value
            .as_mut()
            .filter(|_| slot.generation == key.generation())
    }

    /// What is in a slot now.
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)?.value.as_ref()
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.value.as_mut()
    }

    /// The key of what is in a slot now.
    pub(crate) fn key_at(&self, index: u32) -> Option<K> {
        let slot = self.slots.get(index as usize)?;
        slot.value.is_some().then(|| K::new(index, slot.generation))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        (0u32..).zip(&self.slots).filter_map(|(index, slot)| {
            let value = slot.value.as_ref()?;
            Some((K::new(index, slot.generation), value))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::TaskKey;

    #[test]
    fn a_key_does_not_outlive_its_value() {
        let mut arena: Arena<TaskKey, &str> = Arena::default();
        let one = arena.insert("one");
        assert_eq!(arena.remove(one), Some("one"));
        let two = arena.insert("two");
        assert_eq!(one.index(), two.index());
        assert_eq!(arena.get(one), None);
        assert_eq!(arena.remove(one), None);
        assert_eq!(arena.get(two), Some(&"two"));
        assert_eq!(arena.len(), 1);
    }
}

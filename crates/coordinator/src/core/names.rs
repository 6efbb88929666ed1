//! What the scheduler's small numbers stand for.

/// Names by number. Numbers are used again, so the vector stays as short as there were things at a time.
pub(super) struct Names<T>(Vec<Option<T>>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Names<T> {
    pub(super) fn set(&mut self, number: usize, name: T) {
        if number >= self.0.len() {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number] = Some(name);
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.0.get(number)?.as_ref()
    }

    pub(super) fn clear(&mut self, number: usize) {
        if let Some(slot) = self.0.get_mut(number) {
            *slot = None;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

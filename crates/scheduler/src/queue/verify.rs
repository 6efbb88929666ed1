//! Whether the queue's books agree: for tests.

use super::{Queue, number};

impl Queue {
    /// Whether everything is where it belongs: for tests. O(everything).
    pub(crate) fn verify(&self) -> Result<(), String> {
        let mut tasks = 0;
        for (id, entry) in &self.entries {
            tasks += entry.tasks.len();
            let (Some(key), Some(lane)) = (entry.key(), entry.lane) else {
                if entry.key().is_some() || entry.lane.is_some() {
                    return Err(format!("entry {id} is not where it belongs"));
                }
                continue;
            };
            let lane = &self.lanes[lane as usize];
            let at = lane.entries.iter().nth(self.places[id] as usize);
            if at != Some(&(key, number(id))) || lane.shape != entry.shape {
                return Err(format!("entry {id} is out of place in its lane"));
            }
        }
        if tasks != self.len || self.shapes.iter().map(|s| s.len).sum::<usize>() != self.len {
            return Err(format!("{tasks} tasks wait, {} counted", self.len));
        }
        for (id, lane) in &self.lanes {
            let key = self.lane_key(number(id));
            let heap = &self.shapes[lane.shape as usize].lanes;
            let at = heap.iter().nth(lane.place as usize);
            if at.copied() != key.map(|key| (key, number(id))) {
                return Err(format!("lane {id} is out of place"));
            }
        }
        for (shape, head) in self.shapes.iter().zip(&self.heads) {
            if shape.lanes.iter().map(|(key, _)| *key).min() != *head {
                return Err("the first of a shape is not the least".to_owned());
            }
        }
        Ok(())
    }
}

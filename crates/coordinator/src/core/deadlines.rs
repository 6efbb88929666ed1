//! How long proofs that have a deadline still take: an estimate, which the scheduler is told anew as they go on.

use std::collections::BTreeMap;

use provost_proto::worker::TaskType;

use super::{Core, Proof};
use crate::Millis;

impl Core {
    /// Changes when a proof has to be there. False if it is not known.
    pub(crate) fn set_deadline(&mut self, id: &str, deadline: Option<Millis>) -> bool {
        let Some(proof) = self.proofs.get_mut(id) else {
            return false;
        };
        if proof.spec.deadline_ms == deadline {
            return true;
        }
        proof.spec.deadline_ms = deadline;
        let (key, due) = (proof.key, proof.spec.due());
        let left = self
            .proofs
            .get(id)
            .map(|proof| self.left(proof, &mut BTreeMap::new()));
        if let (Some(key), Some(left)) = (key, left) {
            self.schedule.set_deadline(key, due, left);
        }
        true
    }

    /// Tells the scheduler how long each proof still takes that has a deadline.
    pub(crate) fn reckon_deadlines(&mut self) {
        let mut slots = BTreeMap::new();
        let mut reckoned = Vec::new();
        for proof in self.proofs.values().filter(|proof| proof.ended.is_none()) {
            if let (Some(key), Some(due)) = (proof.key, proof.spec.due()) {
                reckoned.push((key, due, self.left(proof, &mut slots)));
            }
        }
        for (key, due, left) in reckoned {
            self.schedule.set_deadline(key, Some(due), left);
        }
    }

    /// How long the rest of a proof takes if it has all workers to itself, as far as is known by now. `slots` remembers how many tasks of a type fit on them.
    fn left(&self, proof: &Proof, slots: &mut BTreeMap<TaskType, u64>) -> Millis {
        let mut left = self.tail(proof).unwrap_or(0);
        for (kind, counts) in &proof.counts {
            // It takes as long as the others together.
            let open = counts.pending + counts.running;
            if *kind == TaskType::Controller || open == 0 {
                continue;
            }
            let slots = slots
                .entry(*kind)
                .or_insert_with(|| self.slots(*kind, self.config.weights.of(*kind)));
            let rounds = u64::from(open).div_ceil((*slots).max(1));
            let rounds = Millis::try_from(rounds).unwrap_or(Millis::MAX);
            let pace = self.pace(*kind).unwrap_or(0);
            left = left.saturating_add(pace.saturating_mul(rounds));
        }
        left
    }
}

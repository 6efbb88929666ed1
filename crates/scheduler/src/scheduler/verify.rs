//! Whether the books agree: for tests.

use super::Scheduler;
use super::tasks::State;
use crate::shape::Class;

impl Scheduler {
    /// Reckons everything anew and compares. For tests: O(everything).
    ///
    /// # Errors
    /// What is wrong.
    pub fn verify(&self) -> Result<(), String> {
        self.queue.verify()?;
        self.fleet.verify()?;
        self.verify_proofs()?;
        self.verify_tenants()?;
        let (mut waiting, mut delayed) = (0, 0);
        for (key, task) in self.tasks.iter() {
            match task.state {
                State::Waiting => waiting += 1,
                State::Delayed(at) if self.delayed.contains(&(at, key)) => delayed += 1,
                State::Held(hold) if self.fleet.hold_of(hold).and_then(|h| h.task) == Some(key) => {
                }
                State::Adrift => {}
                _ => return Err(format!("{key:?} is not where it says")),
            }
        }
        if waiting != self.queue.len() || delayed != self.delayed.len() {
            return Err(format!("{waiting} tasks wait and {delayed} are delayed"));
        }
        let kept = self.stuck.iter().filter(|s| s.kept.is_some()).count();
        let reserved = self.workers().filter(|(_, w)| w.reserved).count();
        if reserved > kept {
            return Err(format!("{reserved} workers are kept for {kept} shapes"));
        }
        Ok(())
    }

    fn verify_proofs(&self) -> Result<(), String> {
        for (key, proof) in self.proofs.iter() {
            let tasks = self.tasks.iter().filter(|(_, t)| t.proof == key);
            let (mut count, mut provers, mut lasting, mut used) = (0, 0, 0, [0u64; 2]);
            for (_, task) in tasks {
                count += 1;
                if matches!(task.state, State::Held(_)) {
                    let shape = self.queue.shape(task.shape);
                    used[shape.class.index()] += u64::from(shape.weight);
                    provers += u32::from(shape.class == Class::Gpu);
                    lasting += u32::from(shape.lasts());
                }
            }
            let right = Class::ALL
                .iter()
                .all(|c| proof.account.used(*c) == used[c.index()]);
            let driven = lasting == proof.lasting && self.driven.contains(&key) == (lasting > 0);
            if !right || !driven || count != proof.tasks || provers != proof.on_provers {
                return Err(format!("the books of {key:?} are wrong"));
            }
        }
        Ok(())
    }

    fn verify_tenants(&self) -> Result<(), String> {
        let mut held = 0;
        for (_, worker) in self.workers() {
            held += worker.used;
        }
        let mut charged = 0;
        for (_, tenant) in self.tenants.iter() {
            charged += Class::ALL
                .iter()
                .map(|c| tenant.account.used(*c))
                .sum::<u64>();
        }
        if held != charged {
            return Err(format!("workers hold {held}, tenants have {charged}"));
        }
        Ok(())
    }
}

//! What is left of an execution after it was dropped. SP1 executes on threads that nothing stops: they look for whoever listens only between two
//! chunks of the program, of which one may take seconds, and is without an end in a loop that reads no memory. Until then cores and the program's
//! memory are taken.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How often [`Parts::gone`] looks.
const EVERY: Duration = Duration::from_millis(20);

/// Things that SP1 holds for as long as it executes a program, or computes its gas.
#[derive(Debug, Clone, Default)]
pub struct Parts(Arc<Mutex<Vec<Weak<dyn Any + Send + Sync>>>>);

impl Parts {
    /// The work goes on for as long as anybody holds `part`.
    pub fn add<T: Any + Send + Sync>(&self, part: &Arc<T>) {
        let part: Weak<T> = Arc::downgrade(part);
        self.all().push(part);
    }

    /// Whether nothing works any more.
    pub fn are_gone(&self) -> bool {
        self.all().iter().all(|part| part.strong_count() == 0)
    }

    /// Returns when nothing works any more.
    pub async fn gone(&self) {
        while !self.are_gone() {
            tokio::time::sleep(EVERY).await;
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Any + Send + Sync>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

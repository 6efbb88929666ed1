//! When tasks are due: at even intervals, by a thread that does nothing else.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// A task that is due.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// When it was due.
    pub at: Instant,
    /// Whether the warm-up is over.
    pub counts: bool,
}

/// Sends each task when it is due: `per_second` of them, for `warm_up` and then for `lasts`.
///
/// # Errors
/// There is no thread to be had.
pub fn start(
    per_second: u32,
    warm_up: Duration,
    lasts: Duration,
) -> std::io::Result<mpsc::UnboundedReceiver<Due>> {
    let (sender, queue) = mpsc::unbounded_channel();
    let run = move || {
        let begun = Instant::now();
        let total = (warm_up + lasts).as_secs_f64() * f64::from(per_second);
        for number in 0..total as u64 {
            let after = Duration::from_secs_f64(number as f64 / f64::from(per_second));
            let at = begun + after;
            // The kernel wakes a thread within some 60 us; tokio's own timer counts in milliseconds.
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let due = Due {
                at,
                counts: after >= warm_up,
            };
            if sender.send(due).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("pace".to_owned())
        .spawn(run)?;
    Ok(queue)
}

//! ProvingTasks that people delete: their tasks are stopped and run again.

mod book;
mod unheard;
mod watch;

pub use watch::TaskWatch;

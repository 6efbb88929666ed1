//! A worker's side of the native door: one stream to every replica of the coordinator, and what a worker keeps so that
//! nothing is lost when a stream breaks or another replica leads.
//!
//! [`Link::start`] makes a thread with a runtime of its own, so that proving delays neither beats nor messages. All calls
//! return at once, with or without a leader: what is said is kept, goes to the leader when there is one, and is reported to the next. Only
//! [`Link::conclude`] and the consumers ([`Watcher`], [`Listener`], [`Orders`]) wait.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use provost_link::{Config, Link, Outcome, Role, WorkerType};
//!
//! let link = Link::start(Config::new(vec!["http://provost-operator:50052".into()], "pod-1"))?;
//! let role = Role { name: "execute".into(), class: WorkerType::Cpu, max_weight: 16, provers: 0, device: None, shard_elements: 0 };
//! let mut orders = link.add_role(role);
//! while let Some(order) = orders.recv().await {
//!     // ... run order.data, creating children by link.create(&order.run, data) ...
//!     link.done(order, Outcome::Completed("{}".into()));
//! }
//! # Ok(()) }
//! ```
//!
//! Inside, `state` decides, without I/O and clock, and `io` carries out what it decides.

mod config;
mod dial;
mod error;
mod io;
mod link;
mod listener;
mod order;
mod resolve;
mod run;
mod state;
mod status;
mod watcher;

pub use config::{Config, Limits, Timing};
pub use dial::{Connection, Dial};
pub use error::{Ended, StartError};
pub use link::Link;
pub use listener::Listener;
pub use order::{Order, Orders, Outcome, Role};
pub use provost_proto::link::Device;
pub use provost_proto::worker::{TaskData, TaskStatus, TaskType, WorkerType};
pub use provost_scheduler::retry::FailureClass;
pub use resolve::{Dns, Resolve};
pub use run::Run;
pub use status::{Counts, Replica, Status};
pub use watcher::Watcher;

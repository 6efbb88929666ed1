//! The artifact store of a Provost cluster.
//!
//! Programs, inputs, proofs and what tasks hand to each other are objects in one bucket: `programs/<id>`, `stdins/<id>`,
//! `private-stdins/<id>`, `proofs/<id>`, `artifacts/<id>`. Their bytes at rest are zstd of bincode ([`codec`]). The layout
//! is the one that stock clients of an SP1 cluster use.
//!
//! [`Store`] is what the rest of Provost programs against, [`S3Store`] speaks S3 to any server, [`MemoryStore`] keeps
//! objects in this process; a [`Breaker`] in front of one lets nobody wait for it while it is away. With the feature `server`, [`server::serve`] is the S3 server that Provost installs.

mod breaker;
pub mod codec;
mod digest;
mod error;
pub mod id;
mod kind;
mod memory;
mod random;
mod s3;
#[cfg(feature = "server")]
pub mod server;
mod store;

pub use breaker::Breaker;
pub use error::StoreError;
pub use kind::Kind;
pub use memory::MemoryStore;
pub use s3::{ConfigError, S3Config, S3Store};
pub use store::{ListedObject, ObjectInfo, Store};

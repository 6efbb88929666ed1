//! The task graph of a proof, as SP1's Controller and CoreExecute make it. Pure: what is to be created next, and what the messages between tasks say.

mod inputs;
mod message;
mod range;
mod tree;

pub use inputs::{ControllerInputs, CoreMetadata, ExecuteInputs, InputError, Mode};
pub use message::{MessageError, Seen, ShardProof};
pub use range::Range;
pub use tree::{Batch, Leaf, Step, Tree};

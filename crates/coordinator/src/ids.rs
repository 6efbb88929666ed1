//! Names of things, and where new ones come from.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use mti::prelude::{MagicTypeIdExt as _, V7};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A proof: whatever unique text its submitter chose.
    ProofId
);
id!(
    /// A task, unique over all proofs.
    TaskId
);
id!(
    /// A worker's registration: `<pod>/<role>`, or any text for a stock worker.
    WorkerId
);
id!(
    /// A subscription, named by its client.
    SubId
);

impl WorkerId {
    /// The pod that the worker runs in: what stands before the first `/`, or all of it.
    pub fn pod(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

/// One connection of a worker, of a subscription or of a channel's reader. A later connection has a greater number.
pub type ConnId = u64;

/// Mints names for tasks, and tosses for waits. A parameter of the reactor, so that tests get the same each time.
pub(crate) trait IdSource: Send {
    /// A name that was never given out before.
    fn task(&mut self) -> TaskId;

    /// Any number; all bits count.
    fn random(&mut self) -> u64;
}

/// TypeIDs such as `task_01h455vb4pex5vsknk084sn02q`, as SP1's own coordinator makes them: sortable by time, unique over restarts.
#[derive(Debug, Default)]
pub(crate) struct TypeIds;

impl IdSource for TypeIds {
    fn task(&mut self) -> TaskId {
        TaskId::from("task".create_type_id::<V7>().to_string())
    }

    fn random(&mut self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_is_what_stands_before_the_slash() {
        assert_eq!(WorkerId::from("small-abc12/prove").pod(), "small-abc12");
        assert_eq!(WorkerId::from("stock_77").pod(), "stock_77");
    }

    #[test]
    fn minted_names_differ() {
        let mut ids = TypeIds;
        let (a, b) = (ids.task(), ids.task());
        assert!(a.starts_with("task_") && a != b);
    }
}

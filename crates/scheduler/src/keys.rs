//! The names that the scheduler gives to what it knows. Small numbers, so that a decision hashes and copies nothing.

/// A key of an [`Arena`](crate::arena::Arena).
pub(crate) trait Key: Copy {
    /// The key of a slot in one of its lives.
    fn new(index: u32, generation: u32) -> Self;
    /// The slot.
    fn slot(self) -> u32;
    /// Which of the slot's lives is meant.
    fn generation(self) -> u32;
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A key is never valid again once what it names is gone, though its index may be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            index: u32,
            generation: u32,
        }

        impl $name {
            /// A small number, unique among those that exist at a time: good to index a vector with.
            pub const fn index(self) -> usize {
                self.index as usize
            }
        }

        impl Key for $name {
            fn new(index: u32, generation: u32) -> Self {
                Self { index, generation }
            }

            fn slot(self) -> u32 {
                self.index
            }

            fn generation(self) -> u32 {
                self.generation
            }
        }
    )*};
}

keys! {
    /// Names a tenant: who the provers are shared out to.
    TenantKey;
    /// Names a proof.
    ProofKey;
    /// Names a task.
    TaskKey;
    /// Names a worker.
    WorkerKey;
    /// Names what a worker holds: room that is taken up on it.
    HoldKey;
}

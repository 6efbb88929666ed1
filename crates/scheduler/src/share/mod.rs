//! Who has how much: what fair share is measured by.
//!
//! What counts is the weight that a tenant's or a proof's tasks take up now, each class of worker for itself: those who wait for provers share provers, those who
//! wait for executors share executors. (One measure for both would let a tenant that only executes, and so never takes up a prover, go before all others for ever.)
//! Giving each free place to whoever has least evens out what they have: max-min fairness.

mod account;

pub(crate) use account::Account;

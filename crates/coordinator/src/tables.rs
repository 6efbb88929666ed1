//! Tables by name. Every event looks up a dozen names of some thirty letters, so that hashing them well enough for strangers' keys, as the standard
//! library does, would be a tenth of the whole work. Names of tasks come from workers that are let in, and the hash has a random seed all the same.

use foldhash::fast::RandomState;

/// A table.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A set.
pub(crate) type Set<K> = std::collections::HashSet<K, RandomState>;

/// A set that keeps the order of insertion, until something is removed: the same events always lead to the same order.
pub(crate) type OrderedSet<K> = indexmap::IndexSet<K, RandomState>;

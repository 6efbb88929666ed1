//! Sizes that both ends of a connection have to agree on.

/// Largest message that either side accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that the other side of a connection may send before they are taken in, over all streams. HTTP/2's library ends a connection on which small frames pile
/// up, too, by half as much: thousands of calls that come while a server is busy, or of a worker's reports.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

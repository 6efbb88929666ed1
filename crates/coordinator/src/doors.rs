//! How workers come in. A door turns calls into events and commands into streams; it decides nothing.

mod listen;
pub mod native;
mod reports;
mod status;
mod stream;
pub mod unary;
mod validate;

pub use listen::listen;

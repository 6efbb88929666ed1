//! What the user gives: the program and its input, and how they travel.

pub(crate) mod elf;
pub(crate) mod file;
pub(crate) mod name;
pub(crate) mod plan;

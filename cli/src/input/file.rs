//! Reading what the user names.

use std::io::Read;
use std::path::Path;

use crate::error::CliError;

/// The bytes of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    if path.as_os_str() == "-" {
        let mut data = Vec::new();
        std::io::stdin()
            .read_to_end(&mut data)
            .map_err(|e| CliError::file("standard input", e))?;
        return Ok(data);
    }
    std::fs::read(path).map_err(|e| CliError::file(path, e))
}

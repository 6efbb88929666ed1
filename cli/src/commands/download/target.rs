//! Where a download goes: a file that appears when it is complete, or a stream.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::CliError;

/// An open target.
pub(super) struct Target {
    path: PathBuf,
    sink: BufWriter<Sink>,
}

enum Sink {
    /// Renamed to the path at the end.
    Temporary(NamedTempFile),
    /// A pipe, a device, standard output: written as it comes.
    Direct(File),
    Stdout(io::Stdout),
}

impl Target {
    /// Opens the target. `-` is standard output; something that exists and is no regular file
    /// (`/dev/stdout`, a named pipe) is written to and not replaced.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let fail = |e| CliError::file(path, e);
        let sink = if path.as_os_str() == "-" {
            Sink::Stdout(io::stdout())
        } else if std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            Sink::Direct(OpenOptions::new().write(true).open(path).map_err(fail)?)
        } else {
            let folder = path
                .parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            // The mode of any new file; the umask is taken off as usual.
            let mode = Permissions::from_mode(0o666);
            Sink::Temporary(
                tempfile::Builder::new()
                    .prefix(".proof-")
                    .permissions(mode)
                    .tempfile_in(folder)
                    .map_err(fail)?,
            )
        };
        Ok(Self {
            path: path.to_owned(),
            sink: BufWriter::new(sink),
        })
    }

    /// Where the bytes go.
    pub(super) fn writer(&mut self) -> &mut (dyn Write + Send) {
        &mut self.sink
    }

    /// Puts the complete file into its place. Without this call nothing stays.
    pub(super) fn finish(self) -> Result<(), CliError> {
        let path = self.path;
        let fail = |e| CliError::file(&path, e);
        match self.sink.into_inner().map_err(|e| fail(e.into_error()))? {
            Sink::Temporary(file) => {
                file.as_file().sync_all().map_err(fail)?;
                file.persist(&path).map_err(|e| fail(e.error))?;
            }
            Sink::Direct(_) => {}
            Sink::Stdout(mut out) => out.flush().map_err(fail)?,
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(data),
            Self::Direct(file) => file.write(data),
            Self::Stdout(out) => out.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Direct(file) => file.flush(),
            Self::Stdout(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.proof");
        std::fs::write(&path, b"old").unwrap();
        let mut target = Target::open(&path).unwrap();
        target.writer().write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        target.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o400, 0o400);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_download_that_breaks_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = Target::open(&folder.path().join("p.proof")).unwrap();
        target.writer().write_all(b"half").unwrap();
        drop(target);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let mut target = Target::open(Path::new("/dev/null")).unwrap();
        target.writer().write_all(b"x").unwrap();
        target.finish().unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Target::open(Path::new("/no/such/p.proof"))
            .map(|_| ())
            .unwrap_err();
        assert!(
            error.to_string().starts_with("/no/such/p.proof: "),
            "{error}"
        );
    }
}

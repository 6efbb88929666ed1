//! The folder: objects in their places, and files on their way there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::object::{self, HEADER_LEN, Header, OpenError};
use super::smallest::Smallest;
use super::{ServeError, keys};
use crate::Kind;

/// The folder of a store. All methods block.
#[derive(Debug)]
pub(super) struct Disk {
    objects: PathBuf,
    unfinished: PathBuf,
    next: AtomicU64,
    /// Open for as long as the folder is ours.
    _lock: File,
}

/// A file on its way. Removed when it is dropped, unless it has become an object.
#[derive(Debug)]
pub(super) struct Unfinished(Option<PathBuf>);

/// An object in a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
}

/// A part of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    /// The key after which the listing goes on, if it does.
    pub(super) next: Option<String>,
}

impl Disk {
    /// Opens a folder, and removes what was left unfinished in it.
    pub(super) fn open(root: PathBuf) -> Result<Self, ServeError> {
        let prepare = || {
            let (objects, unfinished) = (root.join("objects"), root.join("unfinished"));
            fs::create_dir_all(&objects)?;
            fs::create_dir_all(&unfinished)?;
            sync_dir(&root)?;
            // Before the first object comes: of two that come together, one would find a folder that the other has yet to make durable.
            for kind in Kind::ALL.into_iter().chain([Kind::Owner]) {
                fs::create_dir_all(objects.join(kind.prefix().trim_end_matches('/')))?;
            }
            sync_dir(&objects)?;
            Ok((objects, unfinished, File::open(&root)?))
        };
        let failed = |source| ServeError::Folder {
            root: root.clone(),
            source,
        };
        let (objects, unfinished, lock) = prepare().map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ServeError::Locked { root }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        for entry in fs::read_dir(&unfinished).map_err(failed)? {
            fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
        }
        Ok(Self {
            objects,
            unfinished,
            next: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// A new file, with room for a header.
    pub(super) fn create(&self) -> io::Result<(Unfinished, File)> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let path = self.unfinished.join(name);
        let mut file = File::create_new(&path)?;
        let unfinished = Unfinished(Some(path));
        file.seek(SeekFrom::Start(HEADER_LEN))?;
        Ok((unfinished, file))
    }

    /// Makes a file the object at `key`. When this returns, the object survives a power cut.
    pub(super) fn commit(
        &self,
        key: &str,
        mut unfinished: Unfinished,
        mut file: File,
        header: &[u8],
    ) -> io::Result<()> {
        let Some(from) = unfinished.0.as_deref() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let to = self.path(key)?;
        let folder = to.parent().unwrap_or(&self.objects);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(header)?;
        file.sync_all()?;
        match fs::create_dir(folder) {
            Ok(()) => sync_dir(&self.objects)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        fs::rename(from, &to)?;
        unfinished.0 = None;
        sync_dir(folder)
    }

    /// Opens the object at `key`, positioned at the first of its bytes.
    pub(super) fn open_object(&self, key: &str) -> Result<(File, Header), OpenError> {
        object::open(&self.path(key)?)
    }

    /// Deletes the object at `key`, if it is there. Tells the folder that changed, for [`Disk::sync`].
    pub(super) fn delete(&self, key: &str) -> io::Result<Option<PathBuf>> {
        let path = self.path(key)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(path.parent().map(Path::to_owned)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes deletes survive a power cut.
    pub(super) fn sync(&self, folders: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
        let mut folders: Vec<PathBuf> = folders.into_iter().collect();
        folders.sort();
        folders.dedup();
        folders.iter().try_for_each(|folder| sync_dir(folder))
    }

    /// Lists up to `limit` objects whose keys begin with `prefix` and follow `after`, in the order of their keys.
    pub(super) fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> io::Result<Page> {
        // One more than are listed, which tells whether the listing goes on.
        let mut found = Smallest::new(limit.saturating_add(1));
        for folder in fs::read_dir(&self.objects)? {
            let folder = folder?;
            let Some(begin) = folder.file_name().to_str().and_then(keys::folder_prefix) else {
                continue;
            };
            if !begin.starts_with(prefix) && !prefix.starts_with(&begin) {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let Some(rest) = file.file_name().to_str().and_then(keys::file_rest) else {
                    continue;
                };
                let key = begin.clone() + &rest;
                if key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after) {
                    found.offer(key, || file.path());
                }
            }
        }
        let mut found = found.in_order();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(key, _)| key.clone());
        let objects = found.into_iter().filter_map(|(key, file)| {
            // Deleted meanwhile, if it cannot be looked at.
            let metadata = fs::symlink_metadata(file).ok()?;
            let size = metadata.len().saturating_sub(HEADER_LEN);
            Some(Listed {
                key,
                size,
                modified: metadata.modified().ok()?,
            })
        });
        Ok(Page {
            objects: objects.collect(),
            next,
        })
    }

    fn path(&self, key: &str) -> io::Result<PathBuf> {
        match keys::path(key) {
            Some(path) => Ok(self.objects.join(path)),
            None => Err(io::ErrorKind::InvalidFilename.into()),
        }
    }
}

impl Unfinished {
    /// Where the file is.
    pub(super) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "an unfinished file stays until the next start");
        }
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::server::object::About;

    fn disk() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path().to_owned()).unwrap();
        (dir, disk)
    }

    fn put(disk: &Disk, key: &str, bytes: &[u8]) {
        let (unfinished, mut file) = disk.create().unwrap();
        file.write_all(bytes).unwrap();
        let sha256 = crate::digest::hex(&crate::digest::sha256(bytes));
        let header = Header {
            length: bytes.len() as u64,
            sha256,
            modified_ms: 0,
            about: About::default(),
        };
        disk.commit(key, unfinished, file, &header.encode().unwrap())
            .unwrap();
    }

    fn names(page: &Page) -> Vec<&str> {
        page.objects
            .iter()
            .map(|object| object.key.as_str())
            .collect()
    }

    #[test]
    fn the_folders_of_all_kinds_are_there_before_the_first_object() {
        let (_dir, disk) = disk();
        for kind in Kind::ALL.into_iter().chain([Kind::Owner]) {
            let file = disk.path(&kind.key("a")).unwrap();
            assert!(file.parent().unwrap().is_dir(), "{}", file.display());
        }
    }

    #[test]
    fn a_second_server_is_kept_out() {
        let (dir, disk) = disk();
        assert!(matches!(
            Disk::open(dir.path().to_owned()),
            Err(ServeError::Locked { .. })
        ));
        drop(disk);
        assert!(Disk::open(dir.path().to_owned()).is_ok());
    }

    #[test]
    fn what_is_not_committed_is_removed() {
        let (_dir, disk) = disk();
        let (unfinished, _file) = disk.create().unwrap();
        let path = unfinished.path().unwrap().to_owned();
        assert!(path.exists());
        drop(unfinished);
        assert!(!path.exists());
    }

    #[test]
    fn listings_are_sorted_and_paged() {
        let (_dir, disk) = disk();
        for key in ["b/2", "a/1", "b/1", "b/10", "plain", "b.c/1"] {
            put(&disk, key, key.as_bytes());
        }
        let all = disk.list("", None, 10).unwrap();
        assert_eq!(names(&all), ["a/1", "b.c/1", "b/1", "b/10", "b/2", "plain"]);
        assert_eq!(all.next, None);
        assert_eq!(all.objects[3].size, 4);
        let page = disk.list("b/", None, 2).unwrap();
        assert_eq!(
            (names(&page), page.next.as_deref()),
            (vec!["b/1", "b/10"], Some("b/10"))
        );
        let page = disk.list("b/", Some("b/10"), 2).unwrap();
        assert_eq!((names(&page), page.next.as_deref()), (vec!["b/2"], None));
        assert_eq!(names(&disk.list("b/1", None, 9).unwrap()), ["b/1", "b/10"]);
        assert_eq!(names(&disk.list("c", None, 9).unwrap()), Vec::<&str>::new());
    }

    #[test]
    fn a_deleted_object_leaves_no_file() {
        let (dir, disk) = disk();
        put(&disk, "a/1", b"x");
        let changed = disk.delete("a/1").unwrap();
        disk.sync(changed).unwrap();
        assert_eq!(disk.delete("a/1").unwrap(), None);
        assert!(
            matches!(disk.open_object("a/1"), Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound)
        );
        assert_eq!(
            fs::read_dir(dir.path().join("objects/a")).unwrap().count(),
            0
        );
        assert_eq!(
            fs::read_dir(dir.path().join("unfinished")).unwrap().count(),
            0
        );
    }
}

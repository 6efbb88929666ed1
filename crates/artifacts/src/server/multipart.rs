//! Uploads in parts. They live as long as the process: a client whose upload is gone begins again.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use s3s::{S3Result, s3_error};
use sha2::{Digest as _, Sha256};

use super::disk::Unfinished;
use super::incoming::Received;
use super::object::{self, About, HEADER_LEN};
use crate::digest;
use crate::random::random;

/// How long an upload waits for its next part.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The parts are joined in pieces of this length.
const PIECE: usize = 1 << 20;

/// All uploads that have begun and not ended.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<String, Upload>>);

/// One upload.
#[derive(Debug)]
pub(super) struct Upload {
    key: String,
    pub(super) about: About,
    parts: BTreeMap<i32, Part>,
    touched: Instant,
}

/// One part: a file like an object's, without its header.
#[derive(Debug)]
pub(super) struct Part {
    unfinished: Unfinished,
    sha256: Sha256,
    length: u64,
    e_tag: String,
}

impl Uploads {
    /// Begins an upload to `key` and tells its id.
    pub(super) fn begin(&self, key: String, about: About) -> String {
        let id = format!("{:016x}{:016x}", random(), random());
        let upload = Upload {
            key,
            about,
            parts: BTreeMap::new(),
            touched: Instant::now(),
        };
        self.all().insert(id.clone(), upload);
        id
    }

    /// Notes that an upload goes on. Fails if there is no such upload.
    pub(super) fn touch(&self, id: &str, key: &str) -> S3Result<()> {
        self.with(id, key, |_| ())
    }

    /// Adds a part, in place of one with the same number, and tells its entity tag.
    pub(super) fn add(
        &self,
        id: &str,
        key: &str,
        number: i32,
        received: Received,
    ) -> S3Result<String> {
        let Received {
            unfinished,
            sha256,
            length,
            ..
        } = received;
        let digest = digest::hex(&sha256.clone().finalize());
        let e_tag = object::e_tag(&digest).to_owned();
        let part = Part {
            unfinished,
            sha256,
            length,
            e_tag: e_tag.clone(),
        };
        let replaced = self.with(id, key, |upload| upload.parts.insert(number, part))?;
        drop(replaced); // Removes its file, outside the lock.
        Ok(e_tag)
    }

    /// Ends an upload: its chosen parts, in order, are joined by the caller, the others go.
    ///
    /// Fails, and leaves the upload as it is, if a chosen part is not there.
    pub(super) fn end(
        &self,
        id: &str,
        key: &str,
        chosen: &[(i32, Option<&str>)],
    ) -> S3Result<(Upload, Vec<Part>)> {
        if !chosen.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(s3_error!(InvalidPartOrder));
        }
        if chosen.is_empty() {
            return Err(s3_error!(InvalidRequest, "an upload needs a part"));
        }
        self.with(id, key, |upload| {
            let missing = chosen.iter().find(|(number, e_tag)| {
                upload
                    .parts
                    .get(number)
                    .is_none_or(|part| e_tag.is_some_and(|e_tag| e_tag != part.e_tag))
            });
            match missing {
                Some((number, _)) => Err(s3_error!(
                    InvalidPart,
                    "part {number} is not there, or another"
                )),
                None => Ok(()),
            }
        })??;
        let mut upload = self.remove(id, key)?;
        let parts = chosen
            .iter()
            .filter_map(|(number, _)| upload.parts.remove(number))
            .collect();
        Ok((upload, parts))
    }

    /// Drops an upload and its parts.
    pub(super) fn remove(&self, id: &str, key: &str) -> S3Result<Upload> {
        let mut all = self.all();
        match all.get(id) {
            Some(upload) if upload.key == key => {
                all.remove(id).ok_or_else(|| s3_error!(NoSuchUpload))
            }
            _ => Err(s3_error!(NoSuchUpload)),
        }
    }

    /// Drops the uploads that nobody continues.
    pub(super) fn drop_abandoned(&self) {
        let mut all = self.all();
        let abandoned: Vec<Upload> = all
            .extract_if(|_, upload| upload.touched.elapsed() > ABANDONED)
            .map(|(_, upload)| upload)
            .collect();
        drop(all);
        if !abandoned.is_empty() {
            tracing::info!(
                count = abandoned.len(),
                "dropped multipart uploads that nobody continued"
            );
        }
    }

    fn with<T>(&self, id: &str, key: &str, act: impl FnOnce(&mut Upload) -> T) -> S3Result<T> {
        let mut all = self.all();
        let upload = all
            .get_mut(id)
            .filter(|upload| upload.key == key)
            .ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.touched = Instant::now();
        Ok(act(upload))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends the parts to the file of the first. Each part's file goes as soon as its bytes are there, so this needs room
/// for one part more, not for all. Blocks.
pub(super) fn join(parts: Vec<Part>) -> io::Result<Received> {
    let mut parts = parts.into_iter();
    let Some(Part {
        unfinished,
        mut sha256,
        mut length,
        ..
    }) = parts.next()
    else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(path(&unfinished)?)?;
    file.seek(SeekFrom::Start(HEADER_LEN + length))?;
    let mut piece = vec![0; PIECE];
    for part in parts {
        let mut from = File::open(path(&part.unfinished)?)?;
        from.seek(SeekFrom::Start(HEADER_LEN))?;
        let mut left = part.length;
        while left > 0 {
            let len = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
            from.read_exact(&mut piece[..len])?;
            sha256.update(&piece[..len]);
            file.write_all(&piece[..len])?;
            left -= len as u64;
        }
        length += part.length;
    }
    Ok(Received {
        unfinished,
        file,
        sha256,
        length,
    })
}

fn path(unfinished: &Unfinished) -> io::Result<&std::path::Path> {
    unfinished
        .path()
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

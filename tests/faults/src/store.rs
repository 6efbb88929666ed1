//! The artifact store: the operator's embedded one, as a process over a folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tokio::net::TcpStream;

use crate::api::{ACCESS_KEY, SECRET_KEY};
use crate::process::{Process, Signal, binary};
use crate::promises::STORE_GRACE;
use crate::wait::eventually;

/// Where the store has the mark of the cluster that it belongs to.
const OWNERS: &str = "owners";

/// The store.
pub struct Store {
    address: SocketAddr,
    folder: PathBuf,
    log: PathBuf,
    /// Size of the file system that it is on; without it, the disk of the folder.
    mounted: bool,
    process: Mutex<Option<Process>>,
}

impl Store {
    /// A store on `address` with all its files under `folder`; with `megabytes`, on a file system of that size.
    pub async fn start(address: SocketAddr, folder: &Path, megabytes: Option<u32>) -> Self {
        let data = memory(folder);
        let _ = std::fs::remove_dir_all(&data);
        std::fs::create_dir_all(&data).unwrap();
        if let Some(megabytes) = megabytes {
            let mounted = Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
                .arg(&data)
                .status();
            assert!(mounted.unwrap().success(), "no tmpfs at {}", data.display());
        }
        let store = Self {
            address,
            folder: data,
            log: folder.join("store.log"),
            mounted: megabytes.is_some(),
            process: Mutex::default(),
        };
        store.resume().await;
        store
    }

    /// Starts the process, over the files that are there.
    pub async fn resume(&self) {
        let args = [
            "store",
            "--data",
            self.folder.to_str().unwrap(),
            "--listen",
            &self.address.to_string(),
        ];
        let env = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ];
        let env: BTreeMap<_, _> = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let program = binary("provost-operator", "PROVOST_OPERATOR_BIN");
        let process = Process::start(&program, &args.map(str::to_owned), &env, &self.log);
        *self.process.lock().unwrap() = Some(process);
        eventually("the store to listen", || async {
            TcpStream::connect(self.address).await.ok()
        })
        .await;
    }

    /// SIGKILL.
    pub fn kill(&self) {
        *self.process.lock().unwrap() = None;
    }

    /// Stops the process in its tracks, or lets it go on.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &*self.process.lock().unwrap() {
            process.signal(signal);
        }
    }

    /// SIGTERM, and its end.
    pub async fn stop(&self) {
        let process = self.process.lock().unwrap().take();
        if let Some(process) = process {
            process.signal(Signal::TERM);
            let exit = process.ended(STORE_GRACE).await;
            assert_eq!(exit.code, 0, "the store ends badly: {}", process.output());
        }
    }

    /// Takes all room that is left on its file system.
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        let block = vec![0; 1 << 12];
        while file.write_all(&block).is_ok() {}
    }

    /// Gives it back.
    pub fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// SIGKILL, and all that it kept is gone: it comes back empty, as after its pod with an emptyDir went to another node.
    pub async fn wipe(&self) {
        self.kill();
        for folder in ["objects", "unfinished"] {
            std::fs::remove_dir_all(self.folder.join(folder)).unwrap();
        }
        self.resume().await;
    }

    /// Makes the mark of the cluster that it belongs to that of `id`; returns whose it was.
    pub fn hand_over(&self, id: &str) -> String {
        let marks = self.folder.join("objects").join(OWNERS);
        let mark = std::fs::read_dir(&marks).unwrap().next().unwrap().unwrap();
        std::fs::rename(mark.path(), marks.join(id)).unwrap();
        mark.file_name().into_string().unwrap()
    }

    /// Its files: objects by their keys, `programs/<id>`, and what is unfinished. Whose it is is none of them.
    pub fn files(&self) -> Vec<String> {
        let objects = self.folder.join("objects");
        let mut found = Vec::new();
        let mut folders = vec![objects.clone(), self.folder.join("unfinished")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    _ => found.push(path),
                }
            }
        }
        let keys = found.iter().map(|path| {
            let key = path.strip_prefix(&objects);
            key.or(path.strip_prefix(&self.folder)).unwrap_or(path)
        });
        keys.filter(|path| !path.starts_with(OWNERS))
            .map(|path| path.display().to_string())
            .collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.kill();
        if self.mounted {
            let _ = Command::new("umount")
                .arg("--lazy")
                .arg(&self.folder)
                .status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where the files are: in memory if there is such a place, since the store waits for the disk at each object.
fn memory(folder: &Path) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    match memory.is_dir() {
        true => memory.join(format!("provost-faults-{}-{name}", std::process::id())),
        false => folder.join("store"),
    }
}

//! A worker at the native door that keeps what it has across leaders, and ends its tasks when the test says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use provost_artifacts::{Kind, MemoryStore, Store, codec};
use provost_link::{
    Config, Device, Link, Order, Orders, Outcome, Role, Run, TaskData, TaskType, WorkerType,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bench::Bench;

/// Shards that a Controller has proved.
pub const SHARDS: usize = 2;

/// UUID of the GPU of all workers that have one.
pub const GPU: &str = "00112233-4455-6677-8899-aabbccddeeff";

const EXECUTE: (&str, WorkerType) = ("execute", WorkerType::Cpu);
const PROVE: (&str, WorkerType) = ("prove", WorkerType::Gpu);

fn role((name, class): (&str, WorkerType)) -> Role {
    Role {
        name: name.into(),
        class,
        max_weight: 24,
        provers: 0,
        device: None,
        shard_elements: 0,
    }
}

/// A task that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub proof: String,
    pub task: String,
    pub kind: TaskType,
    pub run: u32,
    pub attempt: u32,
}

/// The worker, of one role or both.
pub struct Joined {
    player: Player,
    finish: watch::Sender<bool>,
    _roles: JoinSet<()>,
}

#[derive(Clone)]
struct Player {
    link: Link,
    store: Arc<MemoryStore>,
    starts: Arc<Mutex<Vec<Start>>>,
    /// The root that was begun last.
    root: Arc<Mutex<Option<(Run, String)>>>,
    concluded: Arc<AtomicBool>,
    finish: watch::Receiver<bool>,
}

impl Joined {
    /// Joins the operators at `addresses`, as the pod `pod`.
    pub fn start(bench: &Bench, addresses: &[&str], pod: &str) -> Self {
        Self::with(bench, addresses, pod, [EXECUTE, PROVE].map(role).into())
    }

    /// The same, and only executes.
    pub fn executor(bench: &Bench, addresses: &[&str], pod: &str) -> Self {
        Self::with(bench, addresses, pod, vec![role(EXECUTE)])
    }

    /// The same, and only proves, on a GPU for shards of up to so many elements.
    pub fn gpu(bench: &Bench, addresses: &[&str], pod: &str, shard_elements: u64) -> Self {
        let device = Device {
            name: "NVIDIA L4".to_owned(),
            uuid: GPU.to_owned(),
            ..Device::default()
        };
        let gpu = Role {
            device: Some(device),
            shard_elements,
            ..role(PROVE)
        };
        Self::with(bench, addresses, pod, vec![gpu])
    }

    fn with(bench: &Bench, addresses: &[&str], pod: &str, roles: Vec<Role>) -> Self {
        let addresses = addresses.iter().map(|&a| a.to_owned()).collect();
        let link = Link::start(Config::new(addresses, pod)).unwrap();
        let (finish, finished) = watch::channel(false);
        let player = Player {
            link,
            store: bench.store.clone(),
            starts: Arc::default(),
            root: Arc::default(),
            concluded: Arc::default(),
            finish: finished,
        };
        let mut playing = JoinSet::new();
        for role in roles {
            playing.spawn(player.clone().play(player.link.add_role(role)));
        }
        Self {
            player,
            finish,
            _roles: playing,
        }
    }

    /// What it has begun so far.
    pub fn starts(&self) -> Vec<Start> {
        self.player.starts.lock().unwrap().clone()
    }

    /// The shards that it has begun so far.
    pub fn shards(&self) -> Vec<Start> {
        let mut starts = self.starts();
        starts.retain(|start| start.kind == TaskType::ProveShard);
        starts
    }

    /// Creates one shard more for the root that was begun last.
    pub fn create_shard(&self) {
        let root = self.player.root.lock().unwrap();
        let (run, root) = root.as_ref().unwrap();
        self.player.link.create(run, shard(root));
    }

    /// Whether the end of a proof was acknowledged to it.
    pub fn has_concluded(&self) -> bool {
        self.player.concluded.load(Ordering::Relaxed)
    }

    /// Lets all tasks end, those that are yet to come too.
    pub fn finish(&self) {
        self.finish.send_replace(true);
    }
}

impl Player {
    async fn play(self, mut orders: Orders) {
        let mut running = JoinSet::new();
        while let Some(order) = orders.recv().await {
            if order.data.task_type() == TaskType::Controller {
                *self.root.lock().unwrap() = Some((order.run.clone(), order.task_id.clone()));
            }
            self.starts.lock().unwrap().push(Start {
                proof: order.run.proof_id().to_owned(),
                task: order.task_id.clone(),
                kind: order.data.task_type(),
                run: order.run.number(),
                attempt: order.attempt,
            });
            running.spawn(self.clone().run(order));
        }
    }

    async fn run(mut self, order: Order) {
        let controls = order.data.task_type() == TaskType::Controller;
        if controls {
            for _ in 0..SHARDS {
                self.link.create(&order.run, shard(&order.task_id));
            }
        }
        let cancelled = order.cancelled.clone();
        tokio::select! {
            () = cancelled.cancelled() => return self.link.done(order, Outcome::Stopped),
            _ = self.finish.wait_for(|finish| *finish) => {}
        }
        if controls {
            let proof = codec::compress(b"a proof").unwrap();
            self.store
                .put(Kind::Proof, &order.data.outputs[0], proof.into())
                .await
                .unwrap();
            let extra = r#"{"cycles":42,"exit_code":0,"vk_hash":"0x12"}"#;
            let concluded = self
                .link
                .conclude(&order.run, &*order.task_id, false, extra);
            // Its run may be over.
            if concluded.await.is_ok() {
                self.concluded.store(true, Ordering::Relaxed);
            }
        }
        self.link.done(order, Outcome::Completed("{}".into()));
    }
}

fn shard(parent: &str) -> TaskData {
    TaskData {
        task_type: TaskType::ProveShard.into(),
        parent_id: Some(parent.to_owned()),
        ..TaskData::default()
    }
}

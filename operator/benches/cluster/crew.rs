//! Workers that are joined to every replica by Provost's own link, and a driver among them that never stops creating tasks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use provost_link::{Config, Link, Order, Orders, Outcome, Role, TaskData, TaskType, WorkerType};
use tokio::task::JoinSet;

/// How long a task runs.
const TASK: Duration = Duration::from_millis(200);
/// A task that nobody of the crew has after so long is with somebody else: none waits for room.
const GIVEN: Duration = Duration::from_secs(1);
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The workers. They go when it is dropped.
pub(crate) struct Crew {
    links: Vec<Link>,
    book: Book,
    _work: JoinSet<()>,
}

type Book = Arc<Mutex<HashMap<String, Entry>>>;

/// A task.
#[derive(Default)]
struct Entry {
    created: Option<Instant>,
    /// When workers were given it.
    given: Vec<Instant>,
    /// When its creator had its result.
    result: Option<Instant>,
    /// Whether it was reported before.
    told: bool,
}

impl Crew {
    pub(crate) async fn start(addresses: Vec<String>, workers: usize, rate: u32) -> Self {
        let (book, mut work, mut links) = (Book::default(), JoinSet::new(), Vec::new());
        let here = tokio::runtime::Handle::current();
        for number in 0..workers {
            let config = Config::new(addresses.clone(), format!("worker-{number}"));
            let link = Link::start_on(&here, config).unwrap();
            let orders = link.add_role(Role {
                name: "prove".to_owned(),
                class: WorkerType::Gpu,
                max_weight: 64,
                provers: 0,
                device: None,
                shard_elements: 0,
            });
            work.spawn(prove(link.clone(), orders, book.clone()));
            links.push(link);
        }
        let link = Link::start_on(&here, Config::new(addresses, "driver")).unwrap();
        let orders = link.add_role(Role {
            name: "execute".to_owned(),
            class: WorkerType::Cpu,
            max_weight: 1024,
            provers: 0,
            device: None,
            shard_elements: 0,
        });
        work.spawn(drive(link.clone(), orders, book.clone(), rate));
        links.push(link);
        let crew = Self {
            links,
            book,
            _work: work,
        };
        crew.delivered_since(Instant::now()).await;
        crew
    }

    fn book(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.book.lock().unwrap()
    }

    /// Waits until every worker has a stream to so many replicas.
    pub(crate) async fn joined(&self, replicas: usize) {
        for link in &self.links {
            let mut status = link.status_changes();
            let joined = status.wait_for(|status| status.replicas.len() == replicas);
            let joined = tokio::time::timeout(PATIENCE, joined).await;
            assert!(
                joined.is_ok_and(|joined| joined.is_ok()),
                "a replica is missing"
            );
        }
    }

    /// The time from `since` until a worker has a task that was created after it.
    pub(crate) async fn delivered_since(&self, since: Instant) -> Duration {
        while since.elapsed() < PATIENCE {
            let first = {
                let book = self.book();
                let new = book
                    .values()
                    .filter(|e| e.created.is_some_and(|at| at > since));
                new.filter_map(|entry| entry.given.first().copied()).min()
            };
            if let Some(first) = first {
                return first - since;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("no task was delivered in {PATIENCE:?}");
    }

    /// The longest time after `since` in which no task was delivered.
    pub(crate) fn longest_gap(&self, since: Instant) -> Duration {
        let book = self.book();
        let mut given: Vec<_> = book
            .values()
            .flat_map(|e| e.given.iter().copied())
            .collect();
        given.sort_unstable();
        let gaps = given.windows(2).filter(|pair| pair[1] > since);
        gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Waits until somebody who is not of the crew has a task.
    pub(crate) async fn kept_elsewhere(&self) {
        let kept = |entry: &Entry| {
            let old = entry.created.is_some_and(|at| at.elapsed() > GIVEN);
            entry.given.is_empty() && old
        };
        self.until(|book| book.values().any(kept).then_some(()))
            .await;
    }

    /// Waits until every task that was created before `since` is with a worker of the crew. Says how many came to one only after that, and when the last did.
    pub(crate) async fn given_after(&self, since: Instant) -> (usize, Instant) {
        let given = |book: &HashMap<String, Entry>| {
            let before = book
                .values()
                .filter(|entry| entry.created.is_some_and(|at| at < since));
            let given: Option<Vec<_>> = before.map(|entry| entry.given.first().copied()).collect();
            let late = given?.into_iter().filter(|at| *at > since);
            let late: Vec<_> = late.collect();
            let last = late.iter().copied().max().unwrap_or(since);
            Some((late.len(), last))
        };
        self.until(given).await
    }

    async fn until<T>(&self, found: impl Fn(&HashMap<String, Entry>) -> Option<T>) -> T {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let found = found(&self.book());
            if let Some(found) = found {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it did not come to that in {PATIENCE:?}");
    }

    /// Tasks that more than one worker was given, or one twice, and that were not counted before.
    pub(crate) fn executed_again(&self) -> usize {
        self.tell(|entry| entry.given.len() > 1)
    }

    /// Tasks that were created longer ago than `age` and have no result; they count once.
    pub(crate) fn lost(&self, age: Duration) -> usize {
        self.tell(|entry| {
            let old = entry.created.is_some_and(|at| at.elapsed() > age + TASK);
            entry.result.is_none() && old
        })
    }

    /// Counts entries, each once.
    fn tell(&self, which: impl Fn(&Entry) -> bool) -> usize {
        let mut count = 0;
        for entry in self.book().values_mut().filter(|e| !e.told && which(e)) {
            entry.told = true;
            count += 1;
        }
        count
    }
}

async fn prove(link: Link, mut orders: Orders, book: Book) {
    let mut running = JoinSet::new();
    while let Some(order) = orders.recv().await {
        let mut entries = book.lock().unwrap();
        let entry = entries.entry(order.task_id.clone()).or_default();
        entry.given.push(Instant::now());
        drop(entries);
        let link = link.clone();
        running.spawn(async move {
            tokio::time::sleep(TASK).await;
            link.done(order, Outcome::Completed("{}".to_owned()));
        });
        while running.try_join_next().is_some() {}
    }
}

/// Keeps the root tasks that it is given, and creates tasks of each.
async fn drive(link: Link, mut orders: Orders, book: Book, rate: u32) {
    let mut roots = JoinSet::new();
    let mut count = 0;
    while let Some(order) = orders.recv().await {
        count += 1;
        // Ten proofs: together they make the rate.
        let each = Duration::from_secs(10) / rate;
        roots.spawn(one_proof(
            link.clone(),
            order,
            book.clone(),
            each,
            each * count / 10,
        ));
    }
}

async fn one_proof(link: Link, order: Order, book: Book, each: Duration, offset: Duration) {
    tokio::time::sleep(offset).await;
    let mut watcher = link.watch(&order.run);
    let mut ticks = tokio::time::interval(each);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let data = TaskData {
                    task_type: TaskType::ProveShard.into(),
                    parent_id: Some(order.task_id.clone()),
                    ..TaskData::default()
                };
                let now = Instant::now();
                let task = link.create(&order.run, data);
                book.lock().unwrap().entry(task.clone()).or_default().created = Some(now);
                watcher.add([task]);
            }
            result = watcher.next() => match result {
                Ok((task, _)) => {
                    book.lock().unwrap().entry(task).or_default().result = Some(Instant::now());
                }
                // The run is over.
                Err(_) => break,
            },
            () = order.cancelled.cancelled() => break,
        }
    }
    link.done(order, Outcome::Stopped);
}

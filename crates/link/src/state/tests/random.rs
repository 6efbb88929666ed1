//! Random events, leaders that come and go, streams that break with what is under way on them: no result, no child and no
//! message is lost, nothing is started twice, and nothing is left over in the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::leader::Leader;
use super::*;

/// One event; numbers pick among what there is.
#[derive(Clone, Debug)]
enum Op {
    /// The leader orders a task, perhaps one that it ordered before.
    Assign(usize, usize, bool),
    Cancel(usize),
    End(usize, bool),
    Create(usize),
    Marker(usize),
    Want(usize, usize),
    /// The leader answers with a result.
    Result(usize),
    Took(usize),
    Say(usize, usize),
    Listen(usize, usize),
    Heard(usize),
    Conclude(usize),
    Concluded(usize),
    Settle(usize),
    Over(usize),
    /// What is under way to the leader arrives, so much of it.
    Arrive(usize),
    /// The leader's stream breaks.
    Break,
    /// Another replica leads.
    Lead,
    /// The leader of a time before speaks.
    Past(usize),
}

const RUNS: usize = 3;

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..64usize;
    prop_oneof![
        6 => (n(), n(), any::<bool>()).prop_map(|(a, b, again)| Op::Assign(a, b, again)),
        2 => n().prop_map(Op::Cancel),
        5 => (n(), any::<bool>()).prop_map(|(a, ok)| Op::End(a, ok)),
        6 => n().prop_map(Op::Create),
        1 => n().prop_map(Op::Marker),
        4 => (n(), n()).prop_map(|(a, b)| Op::Want(a, b)),
        4 => n().prop_map(Op::Result),
        3 => n().prop_map(Op::Took),
        5 => (n(), n()).prop_map(|(a, b)| Op::Say(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Op::Listen(a, b)),
        4 => n().prop_map(Op::Heard),
        1 => n().prop_map(Op::Conclude),
        1 => n().prop_map(Op::Concluded),
        3 => n().prop_map(Op::Settle),
        1 => n().prop_map(Op::Over),
        8 => n().prop_map(Op::Arrive),
        2 => Just(Op::Break),
        3 => Just(Op::Lead),
        1 => n().prop_map(Op::Past),
    ]
}

/// What really happened, by the test's own books.
#[derive(Default)]
struct Truth {
    running: BTreeMap<String, Start>,
    done: BTreeMap<String, Run>,
    created: BTreeMap<String, Run>,
    awaited: BTreeMap<String, Run>,
    said: BTreeMap<(Run, String), Vec<Bytes>>,
    listened: BTreeMap<(Run, String), u64>,
    concluding: BTreeSet<Run>,
    over: BTreeSet<Run>,
}

struct World {
    env: Env,
    truth: Truth,
    leader: Leader,
    under_way: VecDeque<Up>,
    stream: StreamId,
    unread: Vec<(Run, String)>,
    names: usize,
    attempts: u32,
    past: Option<StreamId>,
}

fn run_at(n: usize) -> Run {
    Run::new(["p", "q"][n % 2], u32::try_from(n % RUNS).unwrap())
}

fn nth<K: Clone, V>(map: &BTreeMap<K, V>, n: usize) -> Option<K> {
    map.keys().nth(n.checked_rem(map.len())?).cloned()
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            env: Env::with_parts_of(300),
            truth: Truth::default(),
            leader: Leader::default(),
            under_way: VecDeque::new(),
            stream: StreamId(0),
            unread: Vec::new(),
            names: 0,
            attempts: 0,
            past: None,
        };
        for watcher in 0..RUNS * 2 {
            let run = run_at(watcher);
            let id = WatcherId(watcher as u64);
            world.env.act(|kept, out| kept.watch(&run, id, out));
        }
        world
    }

    fn has_leader(&self) -> bool {
        self.env.kept.leader().is_some()
    }

    fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}-{}", self.names)
    }

    fn hear(&mut self, message: Down) {
        if let Some(leader) = self.env.kept.leader() {
            self.env.hear(leader, message);
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Assign(n, m, again) => self.assign(n, m, again),
            Op::Cancel(n) => {
                if let Some(task) = nth(&self.truth.running, n) {
                    let run = self.truth.running[&task].run.clone();
                    let epoch = self.env.kept.epoch();
                    self.hear(cancel(epoch, &task, &run));
                }
            }
            Op::End(n, ok) => {
                if let Some(start) =
                    nth(&self.truth.running, n).and_then(|task| self.truth.running.remove(&task))
                {
                    if !self.truth.over.contains(&start.run) {
                        self.truth
                            .done
                            .insert(start.task_id.clone(), start.run.clone());
                    }
                    let outcome = if ok { completed() } else { failed() };
                    self.env.end(&start, outcome);
                }
            }
            Op::Create(n) => {
                let (run, name) = (run_at(n), self.name("child"));
                self.env.create(&run, &name);
                if !self.truth.over.contains(&run) {
                    self.truth.created.insert(name, run);
                }
            }
            Op::Marker(n) => {
                let (run, name) = (run_at(n), self.name("marker"));
                let task = name.clone();
                self.env
                    .act(|kept, out| kept.marker_completed(&run, task, out));
                if !self.truth.over.contains(&run) {
                    self.truth.done.insert(name, run);
                }
            }
            Op::Want(n, m) => {
                let run = run_at(n);
                let child = nth(&self.truth.created, m).filter(|c| self.truth.created[c] == run);
                let name = child.unwrap_or_else(|| format!("far-{run}-{}", m % 5));
                let id = WatcherId((n % (RUNS * 2)) as u64);
                let tasks = vec![name.clone()];
                self.env.act(|kept, out| kept.want(&run, id, tasks, out));
                let kept = self.env.kept.kept.get(&run);
                let known = kept.is_some_and(|kept| kept.known.contains_key(&name));
                if !known && !self.truth.over.contains(&run) {
                    self.truth.awaited.insert(name, run);
                }
            }
            Op::Result(n) => self.result(n),
            Op::Took(n) => {
                if !self.unread.is_empty() {
                    let (run, task) = self.unread.swap_remove(n % self.unread.len());
                    self.env.kept.took(&run, &task);
                }
            }
            Op::Say(n, m) => {
                let (run, task) = (run_at(n), format!("speaker-{}", m % 2));
                let payload = Bytes::from(self.name("say"));
                let said = payload.clone();
                let speaker = task.clone();
                self.env.act(|kept, out| kept.say(&run, speaker, said, out));
                if !self.truth.over.contains(&run) {
                    let channel = self.truth.said.entry((run, task)).or_default();
                    channel.push(payload);
                }
            }
            Op::Listen(n, m) => {
                let (run, task) = (run_at(n), format!("far-{}-{}", run_at(n), m % 2));
                let key = (run.clone(), task.clone());
                if !self.truth.over.contains(&run) && !self.truth.listened.contains_key(&key) {
                    self.names += 1;
                    let id = ListenerId(self.names as u64);
                    self.env
                        .act(|kept, out| kept.listen(&run, id, task, 0, out));
                    self.truth.listened.insert(key, 0);
                }
            }
            Op::Heard(n) => {
                if let Some(key) = nth(&self.truth.listened, n) {
                    let next = self.truth.listened[&key];
                    let number = (next + 1).saturating_sub(n as u64 % 3);
                    let heard = proto::Heard {
                        task_id: key.1.clone(),
                        number,
                        payload: Bytes::new(),
                    };
                    if self.has_leader() && number == next {
                        self.truth.listened.insert(key, next + 1);
                    }
                    self.hear(Down::Heard(heard));
                }
            }
            Op::Conclude(n) => {
                let run = run_at(n);
                let conclude = proto::Conclude {
                    run: Some(run.to_proto()),
                    task_id: "root".to_owned(),
                    ..proto::Conclude::default()
                };
                self.env.act(|kept, out| kept.conclude(&run, conclude, out));
                self.truth.concluding.insert(run);
            }
            Op::Concluded(n) => {
                let run = run_at(n);
                if self.has_leader() {
                    self.truth.concluding.remove(&run);
                }
                let run = Some(run.to_proto());
                self.hear(Down::Concluded(proto::Concluded { run }));
            }
            Op::Settle(n) => {
                let known = &self.leader.done;
                let settle = nth(known, n).filter(|_| self.has_leader());
                if let Some(task) = settle {
                    self.truth.done.remove(&task);
                    self.hear(settled(&task));
                }
            }
            Op::Over(n) => self.over(n),
            Op::Arrive(n) => {
                for message in self.under_way.drain(..n.min(self.under_way.len())) {
                    self.leader.hear(message);
                }
            }
            Op::Break => {
                let stream = self.stream;
                self.env.act(|kept, out| kept.broken(stream, out));
                self.under_way.clear();
            }
            Op::Lead => self.lead(),
            Op::Past(n) => {
                if let Some(past) = self.past {
                    let run = run_at(n);
                    self.env.hear(past, assign(1, "past", &run, 9));
                    self.env.hear(past, settled("past"));
                    for task in self.truth.done.keys().cloned().collect::<Vec<_>>() {
                        self.env.hear(past, settled(&task));
                    }
                }
            }
        }
        self.look();
    }

    fn assign(&mut self, n: usize, m: usize, again: bool) {
        if !self.has_leader() {
            return;
        }
        let running = nth(&self.truth.running, n).filter(|_| again);
        let (task, run) = match running {
            Some(task) => (task.clone(), self.truth.running[&task].run.clone()),
            None => (self.name("task"), run_at(m)),
        };
        if self.truth.over.contains(&run) {
            return;
        }
        self.attempts += 1;
        self.env
            .assign(self.env.kept.epoch(), &task, &run, self.attempts);
    }

    fn result(&mut self, n: usize) {
        let tasks = match n % 2 {
            0 => &self.truth.created,
            _ => &self.truth.awaited,
        };
        let Some(task) = nth(tasks, n / 2).filter(|_| self.has_leader()) else {
            return;
        };
        let run = tasks[&task].clone();
        self.truth.created.remove(&task);
        self.truth.awaited.remove(&task);
        self.env.result(&run, &task, TaskStatus::Succeeded);
    }

    fn over(&mut self, n: usize) {
        if !self.has_leader() {
            return;
        }
        let over = run_at(n);
        self.env.over(&over);
        let is_over = |run: &Run| run.proof_id() == over.proof_id() && *run <= over;
        let truth = &mut self.truth;
        truth.over.extend((0..RUNS * 2).map(run_at).filter(is_over));
        truth.done.retain(|_, run| !is_over(run));
        truth.created.retain(|_, run| !is_over(run));
        truth.awaited.retain(|_, run| !is_over(run));
        truth.said.retain(|(run, _), _| !is_over(run));
        truth.listened.retain(|(run, _), _| !is_over(run));
        self.unread.retain(|(run, _)| !is_over(run));
    }

    /// Another replica leads, on a stream of its own. What was under way to the old one may as well be lost.
    fn lead(&mut self) {
        self.past = Some(self.stream);
        self.stream = StreamId(self.stream.0 + 1);
        self.under_way.clear();
        self.leader = Leader::default();
        let epoch = self.env.kept.epoch() + 1;
        self.env.lead(self.stream, epoch);
    }

    /// Takes note of what the worker did.
    fn look(&mut self) {
        for effect in self.env.take() {
            match effect {
                Effect::Send(stream, message) => {
                    let to_all = matches!(message, Up::Hello(_) | Up::Role(_) | Up::Beat(_));
                    let leads = self.env.kept.leader() == Some(stream);
                    assert!(to_all || leads, "only the leader is told: {message:?}");
                    if stream == self.stream {
                        self.under_way.push_back(message);
                    }
                }
                Effect::Start(start) => {
                    assert_ne!(start.task_id, "past", "an old leader is not obeyed");
                    let task = start.task_id.clone();
                    let before = self.truth.running.insert(task.clone(), start);
                    assert!(before.is_none(), "{task} runs already");
                    self.truth.done.remove(&task);
                }
                Effect::Result { run, task_id, .. } => self.unread.push((run, task_id)),
                _ => {}
            }
        }
    }

    /// A leader that has heard everything since its report knows everything.
    fn check_knowing(&mut self) {
        if !self.has_leader() {
            return;
        }
        self.step(Op::Arrive(usize::MAX));
        let (truth, leader) = (&self.truth, &self.leader);
        let tasks = |map: &BTreeMap<String, Run>| map.keys().cloned().collect::<BTreeSet<_>>();
        assert!(leader.created.is_superset(&tasks(&truth.created)));
        let asked: BTreeSet<_> = leader.watched.union(&leader.created).cloned().collect();
        assert!(asked.is_superset(&tasks(&truth.awaited)));
        assert!(truth.done.keys().all(|task| leader.done.contains_key(task)));
        assert!(leader.concluded.is_superset(&truth.concluding));
        for (key, messages) in &truth.said {
            let heard: Vec<&Bytes> = leader.said[key].values().collect();
            assert_eq!(heard, messages.iter().collect::<Vec<_>>());
        }
    }

    /// A new leader that hears everything knows everything, and nothing else.
    fn check(&mut self) {
        self.lead();
        self.look();
        self.step(Op::Arrive(usize::MAX));
        let (truth, leader) = (&self.truth, &self.leader);
        assert!(leader.reported);
        let keys = |map: &BTreeMap<String, Run>| map.keys().cloned().collect::<BTreeSet<_>>();
        let running: BTreeSet<_> = truth.running.keys().collect();
        assert_eq!(leader.running.keys().collect::<BTreeSet<_>>(), running);
        assert_eq!(
            leader.done.keys().cloned().collect::<BTreeSet<_>>(),
            keys(&truth.done)
        );
        assert_eq!(leader.created, keys(&truth.created));
        let asked: BTreeSet<_> = leader.watched.union(&leader.created).cloned().collect();
        let wanted: BTreeSet<_> = keys(&truth.awaited)
            .union(&leader.created)
            .cloned()
            .collect();
        assert_eq!(asked, wanted);
        let said = |channel: &BTreeMap<u64, Bytes>| {
            let numbers: Vec<u64> = channel.keys().copied().collect();
            assert_eq!(numbers, (0..channel.len() as u64).collect::<Vec<_>>());
            channel.values().cloned().collect::<Vec<_>>()
        };
        let heard: BTreeMap<_, _> = leader
            .said
            .iter()
            .map(|(k, v)| (k.clone(), said(v)))
            .collect();
        assert_eq!(heard, truth.said);
        assert_eq!(leader.listened, truth.listened);
        assert_eq!(leader.concluded, truth.concluding);
    }

    /// Every run is over and every task has stopped: nothing is kept.
    fn finish(&mut self) {
        for n in 0..RUNS * 2 {
            self.step(Op::Over(n));
            self.step(Op::Concluded(n));
        }
        while !self.truth.running.is_empty() {
            self.step(Op::End(0, false));
        }
        assert!(self.env.is_empty(), "{:?}", self.env.kept.counts());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_left_over(ops in proptest::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in ops {
            world.step(op);
        }
        world.check_knowing();
        world.check();
        world.finish();
    }
}

//! Fair share: who has how much over time, when all want more.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

mod common;

use std::collections::BTreeMap;

use common::{GPU_3, GPU_4, Random, decide, proof_of, task, worker};
use proptest::prelude::*;
use provost_scheduler::{
    Class, ProofKey, Scheduler, Settings, Shape, TaskKey, TenantKey, WorkerKind,
};

/// Backlogs that never end, on a full cluster.
struct Cluster {
    s: Scheduler,
    now: u64,
    random: Random,
    ends: BTreeMap<(u64, TaskKey), ()>,
    backlogs: Vec<Backlog>,
}

struct Backlog {
    tenant: TenantKey,
    proof: ProofKey,
    shapes: Vec<Shape>,
    longest: u64,
    waiting: Vec<TaskKey>,
    /// Weight held, added up over time.
    held: f64,
}

impl Cluster {
    fn new(workers: u64, kind: WorkerKind, seed: u64) -> Self {
        let mut s = Scheduler::new(Settings::default());
        for pod in 0..workers {
            let capacity = if pod % 2 == 0 { 24 } else { 48 };
            worker(&mut s, kind, capacity, pod);
        }
        Self {
            s,
            now: 0,
            random: Random(seed | 1),
            ends: BTreeMap::new(),
            backlogs: Vec::new(),
        }
    }

    fn backlog(&mut self, tenant: TenantKey, shapes: &[Shape], longest: u64) -> usize {
        let proof = proof_of(&mut self.s, tenant);
        self.backlogs.push(Backlog {
            tenant,
            proof,
            shapes: shapes.to_vec(),
            longest,
            waiting: Vec::new(),
            held: 0.0,
        });
        self.backlogs.len() - 1
    }

    fn run(&mut self, ticks: u64) {
        for tick in 0..ticks {
            self.now += 10;
            while let Some((at, done)) = self.ends.first_key_value().map(|(k, ())| *k)
                && at <= self.now
            {
                self.ends.pop_first();
                self.s.complete(done).unwrap();
            }
            for backlog in &mut self.backlogs {
                backlog
                    .waiting
                    .retain(|t| self.s.worker_of(*t).is_none() && self.s.shape_of(*t).is_some());
                while backlog.waiting.len() < 200 {
                    let shape = self.random.below(backlog.shapes.len() as u64) as usize;
                    let shape = backlog.shapes[shape];
                    backlog
                        .waiting
                        .push(task(&mut self.s, backlog.proof, shape));
                }
            }
            for (placed, _) in decide(&mut self.s, self.now) {
                let owner = self
                    .backlogs
                    .iter()
                    .find(|b| b.waiting.contains(&placed))
                    .unwrap();
                let end = self.now + 10 + self.random.below(owner.longest);
                self.ends.insert((end, placed), ());
            }
            // The first fill is not steady yet.
            if tick * 4 >= ticks {
                for backlog in &mut self.backlogs {
                    let used = Class::ALL
                        .iter()
                        .map(|c| self.s.used_by_proof(backlog.proof, *c).unwrap());
                    backlog.held += used.sum::<u64>() as f64;
                }
            }
        }
    }

    fn tenant(&self, tenant: TenantKey) -> f64 {
        let own = self.backlogs.iter().filter(|b| b.tenant == tenant);
        own.map(|b| b.held).sum()
    }
}

fn near(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 0.05
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// However many proofs a tenant has, and however long its tasks are.
    #[test]
    fn tenants_and_their_proofs_get_equal_parts(seed in any::<u64>(), counts in prop::collection::vec(1usize..5, 2..4)) {
        let mut cluster = Cluster::new(12, WorkerKind::Gpu, seed);
        let mut tenants = Vec::new();
        for (n, count) in counts.iter().enumerate() {
            let tenant = cluster.s.add_tenant(1);
            tenants.push(tenant);
            for _ in 0..*count {
                let longest = 100 << n;
                cluster.backlog(tenant, &[GPU_4, GPU_3], longest);
            }
        }
        cluster.run(600);
        for pair in tenants.windows(2) {
            let (a, b) = (cluster.tenant(pair[0]), cluster.tenant(pair[1]));
            prop_assert!(near(a, b), "tenants {} {}", a, b);
        }
        for pair in cluster.backlogs.windows(2).filter(|p| p[0].tenant == p[1].tenant) {
            prop_assert!(near(pair[0].held, pair[1].held), "proofs {} {}", pair[0].held, pair[1].held);
        }
    }
}

#[test]
fn a_double_share_is_twice_as_much() {
    let mut cluster = Cluster::new(12, WorkerKind::Gpu, 7);
    let (one, two) = (cluster.s.add_tenant(1), cluster.s.add_tenant(2));
    cluster.backlog(one, &[GPU_4], 100);
    cluster.backlog(two, &[GPU_4], 100);
    cluster.run(600);
    assert!(near(cluster.tenant(two), 2.0 * cluster.tenant(one)));
}

#[test]
fn who_wants_little_gets_it_and_the_rest_is_shared() {
    let mut cluster = Cluster::new(12, WorkerKind::Gpu, 7);
    let (modest, one, two) = (
        cluster.s.add_tenant(1),
        cluster.s.add_tenant(1),
        cluster.s.add_tenant(1),
    );
    let small = cluster.backlog(modest, &[GPU_4], 100);
    let proof = cluster.backlogs[small].proof;
    cluster.s.set_parallelism(proof, Some(5)).unwrap();
    cluster.backlog(one, &[GPU_4], 100);
    cluster.backlog(two, &[GPU_4], 100);
    cluster.run(600);
    let ticks = 450.0;
    assert!(near(cluster.tenant(modest), 5.0 * 4.0 * ticks));
    assert!(near(cluster.tenant(one), cluster.tenant(two)));
}

#[test]
fn who_only_executes_does_not_go_before_those_who_prove() {
    let mut cluster = Cluster::new(12, WorkerKind::All, 7);
    let (executes, proves) = (cluster.s.add_tenant(1), cluster.s.add_tenant(1));
    cluster.backlog(executes, &[Shape::new(Class::Cpu, 4)], 100);
    cluster.backlog(proves, &[GPU_4], 100);
    cluster.run(600);
    assert!(near(cluster.tenant(executes), cluster.tenant(proves)));
}

#[test]
fn cancelling_is_no_way_to_more() {
    use provost_scheduler::Room;
    let mut s = Scheduler::new(Settings::default());
    worker(&mut s, WorkerKind::Gpu, 8, 1);
    let (sly, plain) = (s.add_tenant(1), s.add_tenant(1));
    let (a, b) = (proof_of(&mut s, sly), proof_of(&mut s, plain));
    let first = task(&mut s, a, GPU_4);
    decide(&mut s, 0);
    s.remove_task(first, Room::Kept).unwrap();
    task(&mut s, a, GPU_4);
    let fair = task(&mut s, b, GPU_4);
    assert_eq!(s.next(0).map(|p| p.task), Some(fair));
}

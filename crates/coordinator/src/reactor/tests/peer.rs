//! A process that speaks the native door's messages, said and heard one by one.

use provost_proto::link as wire;
use provost_proto::link::down_message::Message as Down;
use provost_proto::link::up_message::Message as Up;
use provost_proto::worker::{TaskData, TaskType, WorkerType};

use super::env::Env;
use crate::doors::native::parse;
use crate::ids::ConnId;
use crate::shards::ShardSize;

/// One stream of a process.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) pod: String,
    pub(super) process: u64,
    pub(super) conn: ConnId,
}

pub(super) fn run(proof: &str, run: u32) -> wire::Run {
    let proof_id = proof.to_owned();
    wire::Run { proof_id, run }
}

pub(super) fn create(proof: &str, number: u32, id: &str, kind: TaskType) -> wire::Create {
    let data = TaskData {
        task_type: kind.into(),
        proof_id: proof.to_owned(),
        ..TaskData::default()
    };
    wire::Create {
        task_id: id.to_owned(),
        run: number,
        data: data.to_bytes(),
    }
}

pub(super) fn done(of: wire::Run, id: &str, attempt: u32, role: &str) -> wire::Done {
    wire::Done {
        run: Some(of),
        task_id: id.to_owned(),
        attempt,
        role: role.to_owned(),
        outcome: Some(wire::done::Outcome::Completed("{}".to_owned())),
    }
}

pub(super) fn failed(of: wire::Run, id: &str, attempt: u32, role: &str) -> wire::Done {
    let outcome = wire::done::Outcome::Failed(wire::Failed {
        class: "Transient".to_owned(),
        retryable: true,
        message: "it broke".to_owned(),
    });
    wire::Done {
        outcome: Some(outcome),
        ..done(of, id, attempt, role)
    }
}

pub(super) fn running(of: wire::Run, id: &str, kind: TaskType, role: &str) -> wire::Running {
    wire::Running {
        run: Some(of),
        task_id: id.to_owned(),
        attempt: 1,
        role: role.to_owned(),
        task_type: kind.into(),
        ran_ms: 0,
        stopping: false,
    }
}

pub(super) fn watch(of: wire::Run, ids: &[&str]) -> wire::Watch {
    wire::Watch {
        run: Some(of),
        task_ids: ids.iter().map(|&id| id.to_owned()).collect(),
    }
}

pub(super) fn taken(of: wire::Run, ids: &[&str]) -> Up {
    let wire::Watch { run, task_ids } = watch(of, ids);
    Up::Taken(wire::Taken { run, task_ids })
}

pub(super) fn say(of: wire::Run, id: &str, number: u64) -> Up {
    Up::Say(wire::Say {
        run: Some(of),
        task_id: id.to_owned(),
        number,
        payload: vec![u8::try_from(number).unwrap()].into(),
    })
}

pub(super) fn said(of: wire::Run, id: &str, count: u8) -> wire::Said {
    wire::Said {
        run: Some(of),
        task_id: id.to_owned(),
        first: 0,
        payloads: (0..count).map(|n| vec![n].into()).collect(),
    }
}

pub(super) fn listen(of: wire::Run, id: &str, from: u64) -> wire::Listen {
    wire::Listen {
        run: Some(of),
        task_id: id.to_owned(),
        from,
    }
}

pub(super) fn conclude(of: wire::Run, id: &str, failed: bool) -> wire::Conclude {
    wire::Conclude {
        run: Some(of),
        task_id: id.to_owned(),
        failed,
        extra_data: r#"{"class":"ProgramFault","message":"exit code 1"}"#.to_owned(),
    }
}

pub(super) fn last() -> wire::Report {
    wire::Report {
        last: true,
        ..wire::Report::default()
    }
}

impl Env {
    /// A process joins, plays both roles, and has nothing to report.
    pub(super) fn join(&mut self, pod: &str) -> Peer {
        let peer = self.hello(pod, 1);
        self.hear(&peer, [Up::Report(last())]);
        self.out.told.clear();
        peer
    }

    /// A process joins, executes and does not prove.
    pub(super) fn driver(&mut self) -> Peer {
        let peer = self.greet("driver", 1, false, false);
        self.hear(&peer, [Up::Report(last())]);
        self.out.told.clear();
        peer
    }

    /// A process joins and plays both roles.
    pub(super) fn hello(&mut self, pod: &str, process: u64) -> Peer {
        self.greet(pod, process, true, false)
    }

    /// A process on a spot node joins.
    pub(super) fn join_on_spot(&mut self, pod: &str) -> Peer {
        let peer = self.greet(pod, 1, true, true);
        self.hear(&peer, [Up::Report(last())]);
        self.out.told.clear();
        peer
    }

    /// A process joins that only proves, on a GPU or on a CPU.
    pub(super) fn prover(
        &mut self,
        pod: &str,
        gpu: bool,
        max_weight: u32,
        shards: ShardSize,
    ) -> Peer {
        let role = Up::Role(wire::Role {
            name: "prove".to_owned(),
            class: WorkerType::Gpu.into(),
            max_weight,
            device: gpu.then(wire::Device::default),
            shard_elements: shards.elements(),
            ..wire::Role::default()
        });
        let peer = self.arrive(pod, 1, false, [role, Up::Report(last())]);
        self.out.told.clear();
        peer
    }

    fn greet(&mut self, pod: &str, process: u64, proves: bool, spot: bool) -> Peer {
        let role = |name: &str, class: WorkerType, max_weight| {
            Up::Role(wire::Role {
                name: name.to_owned(),
                class: class.into(),
                max_weight,
                provers: 0,
                device: None,
                shard_elements: 0,
            })
        };
        let execute = role("execute", WorkerType::Cpu, 20);
        let prove = role("prove", WorkerType::Gpu, 8);
        let roles = [Some(execute), proves.then_some(prove)];
        self.arrive(pod, process, spot, roles.into_iter().flatten())
    }

    /// A process introduces itself, and says this with it.
    fn arrive(
        &mut self,
        pod: &str,
        process: u64,
        spot: bool,
        says: impl IntoIterator<Item = Up>,
    ) -> Peer {
        let conn = self.next_conn();
        let peer = Peer {
            pod: pod.to_owned(),
            process,
            conn,
        };
        let hello = Up::Hello(wire::Hello {
            pod: pod.to_owned(),
            pod_uid: format!("{pod}-uid"),
            process,
            version: "1".to_owned(),
            spot,
            ..wire::Hello::default()
        });
        self.hear(&peer, [hello].into_iter().chain(says));
        peer
    }

    /// The same process on a new stream.
    pub(super) fn rejoin(&mut self, peer: &Peer) -> Peer {
        self.hello(&peer.pod, peer.process)
    }

    pub(super) fn breaks(&mut self, peer: &Peer) {
        let conn = peer.conn;
        self.react(|r| r.link_broken(conn));
    }

    /// A frame of messages.
    pub(super) fn hear(&mut self, peer: &Peer, messages: impl IntoIterator<Item = Up>) {
        let messages = messages.into_iter().map(|message| wire::UpMessage {
            message: Some(message),
        });
        let words: Vec<_> = messages
            .filter_map(|message| parse::word(message).transpose())
            .collect();
        let conn = peer.conn;
        self.react(|r| r.frame(conn, words)).unwrap();
    }

    /// Time passes, in which these processes beat.
    pub(super) fn pass(&mut self, peers: &[&Peer], millis: crate::Millis) {
        let end = self.now + millis;
        while self.now < end {
            self.now = end.min(self.now + 1_000);
            for peer in peers {
                let beat = wire::Beat {
                    epoch: self.core.epoch(),
                    sequence: 0,
                };
                self.hear(peer, [Up::Beat(beat)]);
            }
            self.react(|r| r.tick());
            self.out.told.retain(|(_, m)| !matches!(m, Down::Beat(_)));
        }
    }

    /// What a process was told since anyone last asked for it.
    pub(super) fn told(&mut self, peer: &Peer) -> Vec<Down> {
        let (mine, others) = std::mem::take(&mut self.out.told)
            .into_iter()
            .partition(|(conn, _)| *conn == peer.conn);
        self.out.told = others;
        mine.into_iter()
            .map(|(_, message): (_, Down)| message)
            .collect()
    }

    /// The same in short: `Assign t1 1`, `Result t2 4`.
    pub(super) fn heard(&mut self, peer: &Peer) -> Vec<String> {
        self.told(peer).iter().map(short).collect()
    }

    /// Everything that is not read again is forgotten.
    pub(super) fn forget(&mut self) {
        self.out.told.clear();
        self.out.said.clear();
    }
}

fn short(message: &Down) -> String {
    let number = |run: &Option<wire::Run>| run.as_ref().unwrap().run;
    match message {
        Down::Welcome(m) => format!("Welcome {}", m.epoch),
        Down::Assign(m) => format!("Assign {} {}", m.task_id, m.attempt),
        Down::Cancel(m) => format!("Cancel {}", m.task_id),
        Down::Result(m) => format!("Result {} {}", m.task_id, m.status),
        Down::Settled(m) => format!("Settled {}", m.task_ids.join(" ")),
        Down::Heard(m) => format!("Heard {} {}", m.task_id, m.number),
        Down::End(m) => format!("End {} {}", m.task_id, m.count),
        Down::Concluded(m) => format!("Concluded {}", number(&m.run)),
        Down::Over(m) => format!("Over {}", number(&m.run)),
        Down::Refused(m) => format!("Refused {} {}", m.task_id, m.reason),
        Down::Counted(m) => format!("Counted {}", m.task_id),
        Down::Beat(m) => format!("Beat {}", m.sequence),
    }
}

//! Who leads.

use super::*;

fn beats(effects: &[Effect]) -> Vec<(StreamId, u64)> {
    let beats = effects.iter().filter_map(|effect| match effect {
        Effect::Send(stream, Up::Beat(beat)) => Some((*stream, beat.epoch)),
        _ => None,
    });
    beats.collect()
}

#[test]
fn a_stream_begins_with_hello_and_roles() {
    let mut env = Env::new();
    env.act(|kept, out| kept.opened(A, out));
    let said = env.said(A);
    assert!(matches!(&said[0], Up::Hello(hello) if hello.pod == "pod" && hello.epoch == 0));
    assert!(matches!(&said[1], Up::Role(role) if role.name == "execute"));
    assert!(matches!(&said[2], Up::Role(role) if role.name == "prove"));
    assert_eq!(said.len(), 3);
}

#[test]
fn who_leads_in_the_highest_epoch_gets_the_report() {
    let mut env = Env::new();
    env.lead(A, 0);
    assert_eq!(env.kept.leader(), None);
    env.lead(B, 3);
    assert_eq!(env.kept.leader(), Some(B));
    let said = env.said(B);
    assert!(matches!(said.last(), Some(Up::Report(report)) if report.last));

    env.take();
    env.welcome(A, 4);
    assert_eq!(env.kept.leader(), Some(A));
    let effects = env.take();
    assert_eq!(
        beats(&effects),
        [(B, 4)],
        "the old leader learns of it at once"
    );
    assert!(matches!(
        effects.last(),
        Some(Effect::Send(A, Up::Report(_)))
    ));
}

#[test]
fn a_leader_of_the_past_is_told_and_not_obeyed() {
    let mut env = Env::led();
    env.lead(B, 5);
    env.take();
    env.hear(A, assign(1, "t", &run(), 1));
    env.hear(B, assign(1, "t", &run(), 1));
    env.hear(A, settled("t"));
    assert!(env.did().is_empty());
    env.welcome(A, 2);
    assert_eq!(beats(&env.take()), [(A, 5)]);
    assert_eq!(env.kept.leader(), Some(B));
}

#[test]
fn an_epoch_that_is_seen_ends_all_before_it() {
    let mut env = Env::led();
    env.act(|kept, out| kept.opened(B, out));
    env.hear(
        B,
        Down::Beat(proto::Beat {
            epoch: 9,
            sequence: 0,
        }),
    );
    assert_eq!(env.kept.leader(), None);
    assert_eq!(beats(&env.take()), [(A, 9)]);
    env.create(&run(), "c");
    assert!(env.take().is_empty(), "nobody to tell");
    env.welcome(B, 9);
    assert!(matches!(env.said(B).last(), Some(Up::Report(r)) if r.created.len() == 1));
}

#[test]
fn a_leader_may_step_down_and_lead_again() {
    let mut env = Env::led();
    env.welcome(A, 0);
    assert_eq!(env.kept.leader(), None);
    env.hear(A, assign(1, "t", &run(), 1));
    assert!(env.did().is_empty());
    env.welcome(A, 2);
    assert_eq!(env.kept.leader(), Some(A));
}

#[test]
fn a_new_stream_to_the_same_leader_gets_a_report() {
    let mut env = Env::led();
    env.create(&run(), "c");
    env.act(|kept, out| kept.broken(A, out));
    assert_eq!(env.kept.leader(), None);
    env.lead(B, 1);
    let said = env.said(B);
    assert!(matches!(&said[0], Up::Hello(hello) if hello.epoch == 1));
    assert!(matches!(said.last(), Some(Up::Report(r)) if r.created.len() == 1));
}

#[test]
fn of_two_streams_to_one_leader_one_is_used() {
    let mut env = Env::led();
    env.lead(B, 1);
    assert_eq!(env.kept.leader(), Some(A));
    env.take();
    env.act(|kept, out| kept.broken(A, out));
    assert_eq!(env.kept.leader(), Some(B));
    assert!(matches!(env.said(B)[..], [Up::Report(_)]));
}

#[test]
fn what_a_device_has_free_is_told_where_it_changes_and_to_who_comes_later() {
    let mut env = Env::led();
    env.act(|kept, out| kept.device_memory(7, out));
    assert!(env.take().is_empty(), "no role has a device");
    let device = proto::Device {
        free_bytes: 9,
        ..proto::Device::default()
    };
    let prove = Role {
        device: Some(device),
        ..role("prove")
    };
    env.act(|kept, out| kept.add_role(prove, out));
    env.take();
    env.act(|kept, out| kept.device_memory(9, out));
    assert!(env.take().is_empty(), "it is as it was");
    env.act(|kept, out| kept.device_memory(7, out));
    let said = Up::DeviceMemory(proto::DeviceMemory { free_bytes: 7 });
    assert_eq!(env.said(A), [said]);
    env.act(|kept, out| kept.opened(B, out));
    let free = env.said(B).into_iter().filter_map(|said| match said {
        Up::Role(role) => role.device,
        _ => None,
    });
    assert!(free.map(|device| device.free_bytes).eq([7]));
}

#[test]
fn all_replicas_get_beats_and_new_roles() {
    let mut env = Env::led();
    env.act(|kept, out| kept.opened(B, out));
    env.take();
    env.act(|kept, out| kept.beat(0, out));
    assert_eq!(beats(&env.take()), [(A, 1), (B, 1)]);
    env.act(|kept, out| kept.add_role(role("wrap"), out));
    let to: Vec<_> = env
        .take()
        .into_iter()
        .map(|effect| matches!(effect, Effect::Send(A | B, Up::Role(_))))
        .collect();
    assert_eq!(to, [true, true]);
}

#[test]
fn draining_is_said_to_every_leader() {
    let mut env = Env::led();
    env.act(|kept, out| kept.drain(None, out));
    assert_eq!(env.said(A), [Up::Drain(proto::Drain { grace_ms: 0 })]);
    env.lead(B, 2);
    let said = env.said(B);
    assert!(matches!(said[3..], [Up::Drain(_), Up::Report(_)]));
}

#[test]
fn a_leader_is_told_how_much_is_left_of_the_process() {
    let mut env = Env::led();
    env.act(|kept, _| kept.at(1_000));
    env.act(|kept, out| kept.drain(Some(5_000), out));
    assert_eq!(env.said(A), [Up::Drain(proto::Drain { grace_ms: 5_000 })]);
    for (now, left) in [(4_000, 2_000), (9_000, 1)] {
        env.act(|kept, _| kept.at(now));
        let epoch = env.kept.epoch() + 1;
        env.lead(B, epoch);
        let said = env.said(B);
        let drain = said.iter().find_map(|message| match message {
            Up::Drain(drain) => Some(drain.grace_ms),
            _ => None,
        });
        assert_eq!(drain, Some(left));
    }
}

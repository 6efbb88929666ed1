//! Reports come in parts.

use prost::Message as _;

use super::*;

#[test]
fn a_worker_that_has_nothing_says_so() {
    let env = Env::new();
    let report = env.kept.report();
    let nothing = proto::Report {
        last: true,
        ..proto::Report::default()
    };
    assert_eq!(report, [nothing]);
}

#[test]
fn parts_are_bounded() {
    let mut env = Env::with_parts_of(2_000);
    let watched: Vec<String> = (0..300).map(|n| format!("watched-{n:03}")).collect();
    for n in 0..100 {
        env.create(&run(), &format!("child-{n:03}"));
        let payload = Bytes::from(vec![n; usize::from(n) * 3]);
        env.act(|kept, out| kept.say(&run(), "t".to_owned(), payload, out));
    }
    env.act(|kept, out| kept.watch(&run(), WatcherId(0), out));
    env.act(|kept, out| kept.want(&run(), WatcherId(0), watched.clone(), out));
    let parts = env.kept.report();
    assert!(parts.len() > 10);
    assert!(parts.iter().all(|part| part.encoded_len() <= 2_000));
    let all = together(parts);
    assert_eq!(all.created.len(), 100);
    let watches: Vec<String> = all.watches.into_iter().flat_map(|w| w.task_ids).collect();
    assert_eq!(watches, watched);
    let mut next = 0;
    for said in all.said {
        assert_eq!(said.first, next);
        next += said.payloads.len() as u64;
    }
    assert_eq!(next, 100);
}

#[test]
fn what_is_larger_than_a_part_is_said_all_the_same() {
    let mut env = Env::with_parts_of(100);
    for size in [10, 1_000, 10] {
        let payload = Bytes::from(vec![0; size]);
        env.act(|kept, out| kept.say(&run(), "t".to_owned(), payload, out));
    }
    let all = together(env.kept.report());
    let firsts: Vec<u64> = all.said.iter().map(|said| said.first).collect();
    assert_eq!(firsts, [0, 1, 2]);
}

//! Channels: numbered, kept, heard once and in order.

use super::*;

const L: ListenerId = ListenerId(5);
const M: ListenerId = ListenerId(6);

fn say(env: &mut Env, text: &'static str) {
    env.act(|kept, out| kept.say(&run(), "t".to_owned(), Bytes::from(text), out));
}

fn listen(env: &mut Env, listener: ListenerId, from: u64) {
    env.act(|kept, out| kept.listen(&run(), listener, "t".to_owned(), from, out));
}

fn heard(env: &mut Env, number: u64) {
    let heard = proto::Heard {
        task_id: "t".to_owned(),
        number,
        payload: Bytes::from(number.to_string()),
    };
    env.hear(env.kept.leader().unwrap(), Down::Heard(heard));
}

fn end(env: &mut Env, count: u64) {
    let end = proto::heard::End {
        task_id: "t".to_owned(),
        count,
    };
    env.hear(env.kept.leader().unwrap(), Down::End(end));
}

fn told(env: &mut Env, listener: ListenerId) -> String {
    let told = env.did().into_iter().map(|effect| match effect {
        Effect::Heard {
            listener: to,
            payload,
        } if to == listener => String::from_utf8(payload.to_vec()).unwrap(),
        Effect::Silent { listener: to, over } if to == listener => match over {
            None => ".".to_owned(),
            Some(_) => "!".to_owned(),
        },
        _ => String::new(),
    });
    told.collect()
}

fn asked(env: &mut Env, stream: StreamId) -> Vec<u64> {
    let said = env.said(stream).into_iter();
    let asked = said.filter_map(|message| match message {
        Up::Listen(listen) => Some(listen.from),
        _ => None,
    });
    asked.collect()
}

#[test]
fn messages_are_numbered_and_kept_until_the_run_is_over() {
    let mut env = Env::new();
    say(&mut env, "a");
    env.lead(A, 1);
    env.take();
    say(&mut env, "b");
    assert!(matches!(&env.said(A)[..], [Up::Say(say)] if say.number == 1));
    let report = env.report();
    assert_eq!(report.said[0].first, 0);
    assert_eq!(report.said[0].payloads, ["a", "b"]);
    assert_eq!(env.kept.counts().message_bytes, 2);
    env.over(&run());
    assert!(env.is_empty());
    say(&mut env, "c");
    assert!(env.is_empty());
}

#[test]
fn another_attempt_speaks_from_the_beginning() {
    let mut env = Env::led();
    let start = env.start("t", &run(), 1);
    say(&mut env, "a");
    env.end(&start, failed());
    env.start("t", &run(), 2);
    say(&mut env, "b");
    assert_eq!(env.report().said[0].payloads, ["b"]);
    assert_eq!(env.kept.counts().message_bytes, 1);
}

#[test]
fn each_message_is_heard_once_and_in_order() {
    let mut env = Env::led();
    listen(&mut env, L, 0);
    assert_eq!(asked(&mut env, A), [0]);
    for number in [0, 1, 0, 1, 2] {
        heard(&mut env, number);
    }
    assert_eq!(told(&mut env, L), "012");
    end(&mut env, 3);
    assert_eq!(told(&mut env, L), ".");
    assert!(env.is_empty());
}

#[test]
fn what_is_missing_is_asked_for_once() {
    let mut env = Env::led();
    listen(&mut env, L, 0);
    env.take();
    heard(&mut env, 1);
    heard(&mut env, 2);
    end(&mut env, 3);
    assert_eq!(asked(&mut env, A), [0]);
    for number in 0..3 {
        heard(&mut env, number);
    }
    end(&mut env, 3);
    assert_eq!(told(&mut env, L), "012.");
}

#[test]
fn a_new_leader_is_asked_from_where_it_stopped() {
    let mut env = Env::led();
    listen(&mut env, L, 0);
    heard(&mut env, 0);
    heard(&mut env, 1);
    env.lead(B, 2);
    let listens = env.report().listens;
    assert_eq!((listens.len(), listens[0].from), (1, 2));
    env.take();
    heard(&mut env, 2);
    assert_eq!(told(&mut env, L), "2");
}

#[test]
fn two_consumers_of_a_channel_both_get_all() {
    let mut env = Env::led();
    listen(&mut env, L, 0);
    heard(&mut env, 0);
    env.take();
    listen(&mut env, M, 0);
    assert_eq!(asked(&mut env, A), [0]);
    heard(&mut env, 0);
    assert_eq!(told(&mut env, M), "0");
    heard(&mut env, 1);
    env.kept.unlisten(&run(), M);
    end(&mut env, 2);
    assert_eq!(told(&mut env, L), "1.");
    assert!(env.is_empty());
}

#[test]
fn the_end_of_a_run_is_not_the_end_of_a_channel() {
    let mut env = Env::led();
    listen(&mut env, L, 0);
    env.take();
    env.over(&run());
    assert_eq!(told(&mut env, L), "!");
    listen(&mut env, M, 0);
    assert_eq!(told(&mut env, M), "!");
    assert!(env.is_empty());
}

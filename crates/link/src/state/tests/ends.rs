//! Ends of runs and of proofs.

use super::*;

fn conclude(env: &mut Env, failed: bool) {
    let conclude = proto::Conclude {
        run: Some(run().to_proto()),
        task_id: "root".to_owned(),
        failed,
        extra_data: "{}".to_owned(),
    };
    env.act(|kept, out| kept.conclude(&run(), conclude, out));
}

fn concluded(env: &mut Env) {
    let run = Some(run().to_proto());
    let leader = env.kept.leader().unwrap();
    env.hear(leader, Down::Concluded(proto::Concluded { run }));
}

fn verdicts(env: &mut Env) -> Vec<Result<(), &'static str>> {
    let verdicts = env.did().into_iter().filter_map(|effect| match effect {
        Effect::Concluded { result, .. } => Some(result.map_err(|ended| ended.reason())),
        _ => None,
    });
    verdicts.collect()
}

#[test]
fn an_end_is_said_until_it_is_stored() {
    let mut env = Env::new();
    conclude(&mut env, false);
    env.lead(A, 1);
    env.lead(B, 2);
    assert_eq!(env.report().conclusions.len(), 1);
    concluded(&mut env);
    assert_eq!(verdicts(&mut env), [Ok(())]);
    concluded(&mut env);
    assert!(verdicts(&mut env).is_empty());
    assert!(env.is_empty());
}

#[test]
fn the_first_word_counts() {
    let mut env = Env::led();
    conclude(&mut env, false);
    conclude(&mut env, true);
    assert_eq!(env.said(A).len(), 1);
    assert!(!env.report().conclusions[0].failed);
}

#[test]
fn a_success_outlives_its_run_and_a_failure_does_not() {
    for (before, failed) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut env = Env::led();
        if before {
            conclude(&mut env, failed);
            env.over(&run());
        } else {
            env.over(&run());
            conclude(&mut env, failed);
        }
        let kept = env.kept.counts().conclusions;
        assert_eq!(kept, usize::from(!failed));
        if failed {
            assert_eq!(verdicts(&mut env), [Err("RunOver")]);
        } else {
            assert!(verdicts(&mut env).is_empty());
            concluded(&mut env);
            assert_eq!(verdicts(&mut env), [Ok(())]);
        }
        assert!(env.is_empty());
    }
}

#[test]
fn an_end_that_is_refused_is_given_up() {
    for (reason, expected) in [("Invalid", "Refused"), ("ProofEnded", "RunOver")] {
        let mut env = Env::led();
        conclude(&mut env, false);
        env.refused("root", reason);
        assert_eq!(verdicts(&mut env), [Err(expected)]);
        assert!(env.is_empty());
    }
}

#[test]
fn when_a_run_is_over_all_of_it_goes() {
    let (first, second) = (Run::new("proof", 0), Run::new("proof", 1));
    let other = Run::new("other", 0);
    let mut env = Env::led();
    let start = env.start("t", &first, 1);
    let done = env.start("u", &first, 1);
    env.end(&done, completed());
    for run in [&first, &second, &other] {
        env.create(run, &format!("c{run}"));
        env.act(|kept, out| kept.say(run, "t".to_owned(), Bytes::from("x"), out));
    }
    env.take();
    env.over(&first);
    assert!(matches!(
        env.did()[..],
        [Effect::Over(_), Effect::Cancel { .. }]
    ));
    let report = env.report();
    assert_eq!((report.created.len(), report.said.len()), (2, 2));
    assert_eq!(
        (report.running.len(), report.done.len()),
        (1, 0),
        "it has not stopped yet"
    );
    env.end(&start, Outcome::Stopped);
    assert_eq!(dones(&env.said(A)).len(), 1);
    assert!(env.report().done.is_empty(), "said once");
    env.over(&second);
    env.over(&other);
    assert!(env.is_empty());
}

#[test]
fn a_refusal_may_say_that_the_run_is_over() {
    let mut env = Env::led();
    env.create(&run(), "c");
    env.create(&run(), "d");
    env.refused("c", "RunOver");
    assert!(env.is_empty());
    env.refused("e", "RunOver");
}

#[test]
fn a_leader_may_take_up_a_run_again() {
    let mut env = Env::led();
    env.over(&run());
    env.start("t", &run(), 1);
    env.create(&run(), "c");
    assert_eq!(env.report().created.len(), 1);
}

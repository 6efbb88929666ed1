use super::*;

fn pod(name: &str, phase: Phase) -> PodView {
    PodView {
        name: name.into(),
        phase,
        work: Work::None,
        complete: phase == Phase::Ready,
        outdated: false,
        created: 0,
    }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.delete.iter().map(|d| d.name.as_str()).collect()
}

#[test]
fn fills_up_to_the_size() {
    let plan = plan(3, &[pod("a", Phase::Ready)], Duration::ZERO);
    assert_eq!((plan.create, names(&plan)), (2, vec![]));
}

#[test]
fn an_ended_pod_is_removed_and_replaced() {
    let plan = plan(1, &[pod("a", Phase::Ended)], Duration::ZERO);
    assert_eq!((plan.create, names(&plan)), (1, vec!["a"]));
}

#[test]
fn back_off_holds_back_new_pods_but_not_clean_up() {
    let wait = Duration::from_secs(2);
    let plan = plan(1, &[pod("a", Phase::Ended)], wait);
    assert_eq!(
        (plan.create, names(&plan), plan.again),
        (0, vec!["a"], Some(wait))
    );
}

#[test]
fn a_recycled_worker_goes_at_once() {
    let plan = plan(1, &[pod("a", Phase::Recycle)], Duration::ZERO);
    assert_eq!(plan.create, 1);
    assert_eq!(
        plan.delete,
        vec![Deletion {
            name: "a".into(),
            grace: Some(1)
        }]
    );
}

#[test]
fn a_recycled_worker_with_others_tasks_has_its_own_time_to_drain() {
    let mut pods = [pod("a", Phase::Recycle), pod("b", Phase::Recycle)];
    pods[0].work = Work::Tasks;
    pods[1].work = Work::CalledOff;
    let plan = plan(2, &pods, Duration::ZERO);
    let graces: Vec<_> = plan.delete.iter().map(|d| d.grace).collect();
    assert_eq!((plan.create, graces), (2, vec![None, Some(1)]));
}

#[test]
fn scale_down_takes_idle_and_newest_first() {
    let mut pods = vec![
        pod("busy", Phase::Ready),
        pod("old", Phase::Ready),
        pod("new", Phase::Ready),
    ];
    pods[0].work = Work::Tasks;
    pods[0].created = 9;
    pods[2].created = 5;
    assert_eq!(names(&plan(2, &pods, Duration::ZERO)), vec!["new"]);
    assert_eq!(names(&plan(1, &pods, Duration::ZERO)), vec!["new", "old"]);
    assert_eq!(
        names(&plan(0, &pods, Duration::ZERO)),
        vec!["new", "old", "busy"]
    );
    pods[2].work = Work::Roots;
    assert_eq!(names(&plan(1, &pods, Duration::ZERO)), vec!["old", "busy"]);
}

#[test]
fn scale_down_prefers_what_is_not_ready() {
    let pods = [pod("ready", Phase::Ready), pod("starting", Phase::Starting)];
    assert_eq!(names(&plan(1, &pods, Duration::ZERO)), vec!["starting"]);
}

#[test]
fn leaving_pods_count_for_nothing() {
    let plan = plan(1, &[pod("a", Phase::Leaving)], Duration::ZERO);
    assert_eq!((plan.create, names(&plan)), (1, vec![]));
}

#[test]
fn outdated_workers_are_replaced_one_by_one_when_idle() {
    let mut pods = vec![
        pod("a", Phase::Ready),
        pod("b", Phase::Ready),
        pod("c", Phase::Ready),
    ];
    for p in &mut pods {
        p.outdated = true;
    }
    pods[0].work = Work::Tasks;
    let first = plan(3, &pods, Duration::ZERO);
    assert_eq!((first.create, names(&first)), (1, vec!["b"]));
    pods[1] = pod("d", Phase::Starting);
    assert_eq!(plan(3, &pods, Duration::ZERO), Plan::default());
    pods[1].phase = Phase::Ready;
    let engine_to_come = plan(3, &pods, Duration::ZERO);
    assert_eq!(engine_to_come, Plan::default());
    pods[1].complete = true;
    assert_eq!(names(&plan(3, &pods, Duration::ZERO)), vec!["c"]);
}

#[test]
fn nobody_goes_who_has_yet_to_say_what_it_is_at() {
    let mut pods = vec![
        pod("a", Phase::Ready),
        pod("b", Phase::Ready),
        pod("ended", Phase::Ended),
    ];
    pods[0].outdated = true;
    let unheard = |desired| plan(while_unheard(desired, &pods), &kept(&pods), Duration::ZERO);
    assert_eq!(names(&unheard(1)), vec!["ended"]);
    assert_eq!((unheard(3).create, names(&unheard(3))), (1, vec!["ended"]));
    let no_image = without_new(while_unheard(1, &pods), &pods);
    assert_eq!(names(&no_image), vec!["ended"]);
}

#[test]
fn a_roll_out_whose_new_workers_fail_or_are_refused_takes_nobody_else() {
    let mut pods = vec![
        pod("new", Phase::Ended),
        pod("a", Phase::Ready),
        pod("b", Phase::Ready),
    ];
    (pods[1].outdated, pods[2].outdated) = (true, true);
    let after_a_crash = plan(3, &pods, Duration::from_secs(9));
    assert_eq!(names(&after_a_crash), vec!["new"]);
    pods.remove(0);
    let refused = plan(3, &pods, Duration::ZERO);
    assert_eq!((refused.create, names(&refused)), (1, vec![]));
    pods[0].work = Work::Tasks;
    pods[1].work = Work::Tasks;
    assert_eq!(held(3, &pods, None, LONG), None);
    assert_eq!(held(3, &pods, Some("a"), LONG), None);
}

const PATIENCE: Duration = Duration::from_secs(300);
const LONG: (Duration, Duration) = (PATIENCE, PATIENCE);
const SHORT: (Duration, Duration) = (Duration::from_secs(299), PATIENCE);

fn rolled() -> Vec<PodView> {
    let mut pods = vec![pod("new", Phase::Ready), pod("b", Phase::Ready)];
    pods.push(pod("a", Phase::Ready));
    for (created, p) in pods.iter_mut().enumerate().skip(1) {
        (p.outdated, p.work, p.created) = (true, Work::Tasks, created as i64);
    }
    pods
}

#[test]
fn a_roll_out_that_waits_for_long_holds_one_worker_after_the_other() {
    let mut pods = rolled();
    assert_eq!(held(3, &pods, None, SHORT), None);
    assert_eq!(held(3, &pods, None, LONG).as_deref(), Some("b"));
    assert_eq!(held(3, &pods, Some("a"), SHORT).as_deref(), Some("a"));
    pods[1].work = Work::None;
    let until_gone = held(3, &pods, Some("b"), SHORT);
    assert_eq!(until_gone.as_deref(), Some("b"));
    pods[1] = pod("next", Phase::Starting);
    assert_eq!(held(3, &pods, None, LONG), None, "first the next one");
    pods[1] = pod("next", Phase::Ready);
    assert_eq!(held(3, &pods, None, LONG).as_deref(), Some("a"));
}

#[test]
fn who_cannot_be_replaced_is_not_held() {
    let mut pods = rolled();
    pods.push(pod("more", Phase::Starting));
    assert_eq!(held(4, &pods, Some("b"), LONG), None, "another comes first");
    pods.pop();
    assert_eq!(
        held(2, &pods, Some("b"), LONG),
        None,
        "one has to go anyway"
    );
}

#[test]
fn nobody_is_held_whom_no_other_can_stand_in_for() {
    let mut pods = rolled();
    pods[0].complete = false;
    assert_eq!(held(3, &pods, None, LONG), None, "it comes first");
    pods.remove(0);
    assert_eq!(held(2, &pods, None, LONG).as_deref(), Some("b"));
    pods[1].complete = false;
    assert_eq!(held(2, &pods, None, LONG).as_deref(), Some("a"));
    pods.truncate(1);
    assert_eq!(held(1, &pods, Some("b"), LONG), None);
}

#[test]
fn an_outdated_pod_that_never_started_does_not_block_the_fix() {
    let mut pods = vec![pod("a", Phase::Starting), pod("b", Phase::Starting)];
    pods[0].outdated = true;
    assert_eq!(names(&plan(2, &pods, Duration::ZERO)), vec!["a"]);
}

#[test]
fn without_new_pods_those_that_are_too_many_or_have_ended_go_all_the_same() {
    let mut pods = vec![
        pod("old", Phase::Ready),
        pod("idle", Phase::Ready),
        pod("busy", Phase::Ready),
        pod("ended", Phase::Ended),
        pod("sick", Phase::Recycle),
    ];
    for p in &mut pods {
        p.outdated = true;
    }
    pods[1].created = 5;
    pods[2].work = Work::Tasks;
    let enough = without_new(3, &pods);
    assert_eq!((enough.create, enough.again), (0, None));
    assert_eq!(names(&enough), vec!["ended", "sick"]);
    assert_eq!(without_new(9, &pods), enough, "nothing can be made");
    assert_eq!(
        names(&without_new(1, &pods)),
        vec!["ended", "sick", "idle", "old"]
    );
}

#[test]
fn nothing_to_do_is_an_empty_plan() {
    assert_eq!(
        plan(1, &[pod("a", Phase::Ready)], Duration::from_secs(9)),
        Plan::default()
    );
    assert_eq!(plan(0, &[], Duration::ZERO), Plan::default());
}

use super::*;

fn pod(name: &str, phase: Phase) -> PodView {
    PodView {
        name: name.into(),
        phase,
        busy: false,
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
fn scale_down_takes_idle_and_newest_first() {
    let mut pods = vec![
        pod("busy", Phase::Ready),
        pod("old", Phase::Ready),
        pod("new", Phase::Ready),
    ];
    pods[0].busy = true;
    pods[0].created = 9;
    pods[2].created = 5;
    assert_eq!(names(&plan(2, &pods, Duration::ZERO)), vec!["new"]);
    assert_eq!(names(&plan(1, &pods, Duration::ZERO)), vec!["new", "old"]);
    assert_eq!(
        names(&plan(0, &pods, Duration::ZERO)),
        vec!["new", "old", "busy"]
    );
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
    pods[0].busy = true;
    let first = plan(3, &pods, Duration::ZERO);
    assert_eq!((first.create, names(&first)), (1, vec!["b"]));
    pods[1] = pod("d", Phase::Starting);
    assert_eq!(plan(3, &pods, Duration::ZERO), Plan::default());
    pods[1].phase = Phase::Ready;
    assert_eq!(names(&plan(3, &pods, Duration::ZERO)), vec!["c"]);
}

#[test]
fn an_outdated_pod_that_never_started_does_not_block_the_fix() {
    let mut pods = vec![pod("a", Phase::Starting), pod("b", Phase::Starting)];
    pods[0].outdated = true;
    assert_eq!(names(&plan(2, &pods, Duration::ZERO)), vec!["a"]);
}

#[test]
fn nothing_to_do_is_an_empty_plan() {
    assert_eq!(
        plan(1, &[pod("a", Phase::Ready)], Duration::from_secs(9)),
        Plan::default()
    );
    assert_eq!(plan(0, &[], Duration::ZERO), Plan::default());
}

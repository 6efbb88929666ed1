//! When a subscriber's results end. CoreExecute hangs if they never do, and proves too little if they end early.

use provost_worker::coordinator::Awaiting;

#[test]
fn results_end_when_the_last_one_comes_after_the_requests_have_ended() {
    let mut awaiting = Awaiting::default();
    awaiting.want("a".into());
    awaiting.want("b".into());
    assert!(awaiting.settle("a"));
    awaiting.close();
    assert!(!awaiting.is_over(), "b is still to come");
    assert!(awaiting.settle("b"));
    assert!(awaiting.is_over());
}

#[test]
fn results_go_on_while_more_may_be_wanted() {
    let mut awaiting = Awaiting::default();
    awaiting.want("a".into());
    assert!(awaiting.settle("a"));
    assert!(!awaiting.is_over());
    assert!(!awaiting.settle("a"), "a second result is not wanted");
}

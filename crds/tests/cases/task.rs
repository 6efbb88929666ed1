use serde_json::json;

use super::{Case, Cases, with};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Cases::new("ProvingTask");
    let spec = json!({"proof": "a", "taskId": "task_1", "taskType": "Controller", "weight": 4, "root": true});
    cases.accept("a task", spec.clone());
    cases.add(
        "a task of another weight",
        Some(spec.clone()),
        with(&spec, json!({"weight": 5})),
        &[("spec", "the spec of a ProvingTask cannot be changed")],
    );
    let counted = with(
        &spec,
        json!({"failedAttempts": {"CoreExecute": {"lost": 1, "lostWorkers": 1}}}),
    );
    cases.accept("a task with counts of failed attempts", counted.clone());
    let more = with(
        &spec,
        json!({"failedAttempts": {"CoreExecute": {"lost": 2, "lostWorkers": 1}}}),
    );
    cases.add(
        "a task with other counts",
        Some(counted),
        more,
        &[("spec", "the spec of a ProvingTask cannot be changed")],
    );
    cases.add("a task again", Some(spec.clone()), spec, &[]);
    cases.list
}

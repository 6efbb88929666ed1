//! gRPC metadata keys that Provost adds to SP1's contract. All are optional: a peer that does not know them is served all the same.

/// On `CreateTask`: the id that the creator chose for the task. A repeated call with the same id creates nothing and answers the same id, so a
/// creator may repeat a call whose answer was lost.
pub const TASK_ID: &str = "provost-task-id";

/// On an error: its stable CamelCase name, such as `RunOver`.
pub const REASON: &str = "provost-reason";

//! What workers say of a task that the leader does not know.
//!
//! It happens after a change of leader: the reports come in any order, so a task may be named by who runs it, who has its result or who waits for it
//! before its creator names it. And its creator may have taken in the result already and forgotten the task, while others still want it.

use bytes::Bytes;
use provost_proto::worker::TaskStatus;

use super::LinkId;
use crate::Millis;
use crate::ids::WorkerId;
use crate::word::Outcome;

/// What is known of such a task.
#[derive(Default)]
pub(crate) struct Stray {
    /// Who runs it, in which attempt, and for how long it has. It takes up room there.
    pub(crate) running: Option<(WorkerId, u32, Millis)>,
    /// How an attempt ended, and who keeps that.
    pub(crate) done: Option<StrayDone>,
    /// How the task ended, once that is known.
    pub(crate) status: Option<TaskStatus>,
    /// Who waits for the result.
    pub(crate) takers: Vec<LinkId>,
    /// What it said, from the first message on.
    pub(crate) said: Vec<Bytes>,
    /// Who reads that, each with the number of the message that it lacks.
    pub(crate) listeners: Vec<(LinkId, u64)>,
}

/// The end of an attempt at such a task.
pub(crate) struct StrayDone {
    pub(crate) link: LinkId,
    pub(crate) worker: WorkerId,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
}

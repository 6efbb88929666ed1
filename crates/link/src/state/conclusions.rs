//! How proofs ended.

use proto::up_message::Message;
use provost_proto::link as proto;

use super::Effect;
use super::kept::Kept;
use crate::Run;
use crate::error::Ended;

impl Kept {
    /// The root says how the proof ended. The first word of a run counts. A success counts even when the run is over: what
    /// the proof was made of is gone.
    pub(crate) fn conclude(&mut self, run: &Run, conclude: proto::Conclude, out: &mut Vec<Effect>) {
        if conclude.failed && self.runs.is_over(run) {
            let result = Err(Ended::run_over(run));
            out.push(Effect::Concluded {
                run: run.clone(),
                result,
            });
            return;
        }
        let kept = self.kept.entry(run.clone()).or_default();
        if kept.conclusion.is_none() {
            kept.conclusion = Some(conclude.clone());
            self.tell(Message::Conclude(conclude), out);
        }
    }

    /// It is stored, or refused.
    pub(super) fn concluded(
        &mut self,
        run: &Run,
        result: Result<(), Ended>,
        out: &mut Vec<Effect>,
    ) {
        let concluded = self
            .kept
            .get_mut(run)
            .and_then(|kept| kept.conclusion.take());
        if concluded.is_some() {
            out.push(Effect::Concluded {
                run: run.clone(),
                result,
            });
        }
        self.prune(run);
    }
}

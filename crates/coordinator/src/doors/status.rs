//! Refusals as gRPC statuses.

use provost_proto::headers::REASON;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::refusal::Refusal;

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::UnknownWorker(_)
            | Refusal::NoStream(_)
            | Refusal::UnknownProof(_)
            | Refusal::ProofEnded(_)
            | Refusal::UnknownTask(_)
            | Refusal::RunOver(_)
            | Refusal::UnknownSub(_) => Code::NotFound,
            Refusal::IdTaken(_) => Code::AlreadyExists,
            Refusal::Invalid(_) => Code::InvalidArgument,
            // Not RESOURCE_EXHAUSTED: clients repeat that for ever.
            Refusal::ChannelFull(_) => Code::FailedPrecondition,
            Refusal::NotStored(_) | Refusal::NotLeading | Refusal::Outdated(_) => Code::Unavailable,
        };
        let reason = refusal.reason();
        let mut status = Self::new(code, refusal.to_string());
        let value = MetadataValue::from_static(reason);
        status.metadata_mut().insert(REASON, value);
        status
    }
}

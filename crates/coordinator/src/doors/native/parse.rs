//! From messages to words: names are checked, and become the coordinator's own.

use bytes::Bytes;
use provost_proto::link as wire;
use provost_proto::link::up_message::Message;
use provost_proto::worker::{TaskData, TaskType};

use crate::Millis;
use crate::doors::{reports, validate};
use crate::events::Device;
use crate::failure::{Failure, FailureClass};
use crate::ids::TaskId;
use crate::reactor::Unreadable;
use crate::refusal::Refusal;
use crate::shards::ShardSize;
use crate::word::{
    Child, Conclusion, Done, Hello, Listen, Outcome, Process, Report, Role, RunId, Running, Said,
    Word,
};

type Parsed<T> = Result<T, Unreadable>;

/// What a message says. `None` for one of a later version, which is no fault.
///
/// # Errors
/// It makes no sense.
pub(crate) fn word(message: wire::UpMessage) -> Parsed<Option<Word>> {
    let Some(message) = message.message else {
        return Ok(None);
    };
    Ok(Some(match message {
        Message::Hello(hello) => Word::Hello(self::hello(hello)?),
        Message::Role(role) => Word::Role(self::role(role)?),
        Message::DeviceMemory(memory) => Word::DeviceMemory(memory.free_bytes),
        Message::Report(part) => Word::Report(report(part)?),
        Message::Beat(beat) => Word::Beat {
            epoch: beat.epoch,
            sequence: beat.sequence,
        },
        Message::Create(create) => Word::Create(child(create)?),
        Message::Done(done) => Word::Done(self::done(done)?),
        Message::Conclude(conclude) => Word::Conclude(conclusion(conclude)?),
        Message::Watch(watch) => Word::Watch {
            run: run(watch.run)?,
            tasks: validate::ids("task_ids", watch.task_ids)?,
        },
        Message::Taken(taken) => Word::Taken {
            run: run(taken.run)?,
            tasks: validate::ids("task_ids", taken.task_ids)?,
        },
        Message::Say(say) => Word::Say(said(say.run, say.task_id, say.number, vec![say.payload])?),
        Message::Listen(listen) => Word::Listen(self::listen(listen)?),
        Message::Drain(drain) => {
            let grace = Some(span(drain.grace_ms));
            Word::Drain(grace.filter(|grace| *grace > 0))
        }
    }))
}

fn run(run: Option<wire::Run>) -> Parsed<RunId> {
    let nameless = || Refusal::Invalid("the message names no run".to_owned());
    let run = run.ok_or_else(nameless)?;
    Ok(RunId {
        proof: validate::id("proof_id", run.proof_id)?,
        run: run.run,
    })
}

/// A span of time in milliseconds; one that makes no sense is a very long one.
fn span(millis: u64) -> Millis {
    Millis::try_from(millis)
        .unwrap_or(Millis::MAX / 4)
        .min(Millis::MAX / 4)
}

fn task_id(text: String) -> Parsed<TaskId> {
    Ok(validate::id("task_id", text)?)
}

/// Notes which task it is that makes no sense.
fn about<T>(task: &TaskId, result: Result<T, Refusal>) -> Parsed<T> {
    result.map_err(|refusal| Unreadable {
        task: Some(task.clone()),
        refusal,
    })
}

fn hello(hello: wire::Hello) -> Parsed<Hello> {
    let pod: String = validate::id("pod", hello.pod)?;
    if pod.contains('/') {
        let message = format!("pod `{pod}` has a slash in its name");
        return Err(Refusal::Invalid(message).into());
    }
    Ok(Hello {
        pod,
        process: Process {
            pod_uid: validate::optional_id("pod_uid", hello.pod_uid)?,
            number: hello.process,
        },
        version: validate::optional_id("version", hello.version)?,
        sp1_version: validate::optional_id("sp1_version", hello.sp1_version)?,
        epoch: hello.epoch,
        spot: hello.spot,
    })
}

fn role(role: wire::Role) -> Parsed<Role> {
    Ok(Role {
        name: validate::id("role", role.name)?,
        kind: validate::worker_kind(role.class)?,
        max_weight: validate::capacity(role.max_weight)?,
        provers: (role.provers > 0).then_some(role.provers),
        device: role.device.map(device).transpose()?,
        shards: ShardSize::within(role.shard_elements),
    })
}

fn device(device: wire::Device) -> Parsed<Device> {
    Ok(Device {
        name: validate::text("device.name", Some(device.name))?,
        memory_bytes: device.memory_bytes,
        capability: validate::text("device.capability", Some(device.capability))?,
        driver: validate::text("device.driver", Some(device.driver))?,
        driver_version: validate::text("device.driver_version", Some(device.driver_version))?,
        free_bytes: device.free_bytes,
        uuid: validate::text("device.uuid", Some(device.uuid))?,
    })
}

fn report(part: wire::Report) -> Parsed<Report> {
    Ok(Report {
        running: part
            .running
            .into_iter()
            .map(running)
            .collect::<Parsed<_>>()?,
        done: part.done.into_iter().map(done).collect::<Parsed<_>>()?,
        created: part.created.into_iter().map(child).collect::<Parsed<_>>()?,
        watches: part
            .watches
            .into_iter()
            .map(|watch| {
                let tasks = validate::ids("task_ids", watch.task_ids)?;
                Ok((run(watch.run)?, tasks))
            })
            .collect::<Parsed<_>>()?,
        said: part
            .said
            .into_iter()
            .map(|all| said(all.run, all.task_id, all.first, all.payloads))
            .collect::<Parsed<_>>()?,
        listens: part
            .listens
            .into_iter()
            .map(listen)
            .collect::<Parsed<_>>()?,
        conclusions: part
            .conclusions
            .into_iter()
            .map(conclusion)
            .collect::<Parsed<_>>()?,
        results: part
            .results
            .into_iter()
            .map(|result| {
                let status = result.status();
                Ok((run(result.run)?, task_id(result.task_id)?, status))
            })
            .collect::<Parsed<_>>()?,
        counted: part
            .counted
            .into_iter()
            .map(|counted| {
                let attempts = counted.attempts.unwrap_or_default();
                Ok((
                    run(counted.run)?,
                    task_id(counted.task_id)?,
                    attempts.into(),
                ))
            })
            .collect::<Parsed<_>>()?,
        last: part.last,
    })
}

fn running(running: wire::Running) -> Parsed<Running> {
    let kind = running.task_type();
    Ok(Running {
        run: run(running.run)?,
        task: task_id(running.task_id)?,
        attempt: running.attempt,
        role: validate::id("role", running.role)?,
        kind,
        ran: span(running.ran_ms),
        stopping: running.stopping,
    })
}

fn child(create: wire::Create) -> Parsed<Child> {
    let task = task_id(create.task_id)?;
    let data = TaskData::from_bytes(&create.data).map_err(|error| {
        let message = format!("the data of task {task} cannot be read: {error}");
        Refusal::Invalid(message)
    });
    let read = data.and_then(|data| validate::task(Some(data)));
    let (kind, data) = about(&task, read)?;
    if matches!(kind, TaskType::Controller | TaskType::ExecuteOnly) {
        let message = format!("proof {} has its root already", data.proof_id);
        return about(&task, Err(Refusal::Invalid(message)));
    }
    Ok(Child {
        run: RunId {
            proof: data.proof_id.as_str().into(),
            run: create.run,
        },
        task,
        kind,
        data: create.data,
    })
}

fn done(done: wire::Done) -> Parsed<Done> {
    let task = task_id(done.task_id)?;
    let outcome = match done.outcome {
        Some(wire::done::Outcome::Completed(text)) => {
            Outcome::Completed(about(&task, validate::text("completed", Some(text)))?)
        }
        Some(wire::done::Outcome::Failed(failed)) => failure(failed),
        Some(wire::done::Outcome::Stopped(_)) => Outcome::Stopped,
        None => {
            let message = format!("the end of task {task} has no outcome");
            return about(&task, Err(Refusal::Invalid(message)));
        }
    };
    Ok(Done {
        run: run(done.run)?,
        task,
        attempt: done.attempt,
        role: validate::optional_id("role", done.role)?,
        outcome,
    })
}

fn failure(failed: wire::Failed) -> Outcome {
    let class = failed.class.parse().unwrap_or(if failed.retryable {
        FailureClass::Transient
    } else {
        FailureClass::Bug
    });
    Outcome::Failed {
        failure: Failure::new(class, reports::message(failed.message)),
        retryable: failed.retryable,
    }
}

fn conclusion(conclude: wire::Conclude) -> Parsed<Conclusion> {
    let extra_data = validate::text("extra_data", Some(conclude.extra_data))?;
    let failure = conclude.failed.then(|| reports::of_proof(&extra_data));
    Ok(Conclusion {
        run: run(conclude.run)?,
        task: task_id(conclude.task_id)?,
        failure,
        extra_data,
    })
}

fn said(of: Option<wire::Run>, task: String, first: u64, payloads: Vec<Bytes>) -> Parsed<Said> {
    Ok(Said {
        run: run(of)?,
        task: task_id(task)?,
        first,
        payloads,
    })
}

fn listen(listen: wire::Listen) -> Parsed<Listen> {
    Ok(Listen {
        run: run(listen.run)?,
        task: task_id(listen.task_id)?,
        from: listen.from,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: Message) -> Parsed<Option<Word>> {
        let message = Some(message);
        word(wire::UpMessage { message })
    }

    #[test]
    fn what_names_nothing_is_refused() {
        let nameless = [
            Message::Hello(wire::Hello::default()),
            Message::Role(wire::Role::default()),
            Message::Create(wire::Create::default()),
            Message::Done(wire::Done::default()),
            Message::Conclude(wire::Conclude::default()),
            Message::Watch(wire::Watch::default()),
            Message::Say(wire::Say::default()),
            Message::Listen(wire::Listen::default()),
        ];
        for message in nameless {
            let what = format!("{message:?}");
            assert!(parse(message).is_err(), "{what}");
        }
    }

    #[test]
    fn a_message_of_a_later_version_is_stepped_over() {
        assert!(word(wire::UpMessage { message: None }).unwrap().is_none());
    }

    #[test]
    fn a_failure_of_no_known_class_is_still_one() {
        let failed = |retryable| wire::Failed {
            class: "Whatever".to_owned(),
            retryable,
            message: String::new(),
        };
        let class = |outcome| match outcome {
            Outcome::Failed { failure, .. } => failure.class,
            other => panic!("{other:?}"),
        };
        assert_eq!(class(failure(failed(true))), FailureClass::Transient);
        assert_eq!(class(failure(failed(false))), FailureClass::Bug);
    }
}

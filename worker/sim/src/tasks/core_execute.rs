//! CoreExecute: executes the program, makes a task of each shard, and tells the Controller of them one by one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _};
use provost_artifacts::Kind;
use provost_proto::worker::{TaskStatus, TaskType};
use provost_scheduler::retry::FailureClass;

use super::context::Context;
use super::execute_only::check;
use super::finished::Execution;
use crate::coordinator::{Asker, Results};
use crate::failure::TaskError;
use crate::faults::Point;
use crate::graph::{CoreMetadata, Range, ShardProof};
use crate::profile::{Plan, Work};

/// What SP1 puts in place of a marker where a shard has none.
const NO_MARKER: &str = "dummy marker task";

pub(super) async fn run(context: &Context) -> Result<(), TaskError> {
    let inputs = context.data.inputs.as_slice();
    let outputs = context.data.outputs.as_slice();
    let ([program, stdin, common, metadata], [output]) = (inputs, outputs) else {
        let message = "CORE_EXECUTE takes 4 inputs and 1 output";
        return Err(TaskError::own(FailureClass::Transient, message));
    };
    let metadata: CoreMetadata = serde_json::from_str(metadata)
        .map_err(|error| TaskError::own(FailureClass::Transient, error.to_string()))?;
    if context.artifacts.exists(output).await.unwrap_or(false) {
        // An earlier delivery has emitted everything: its output comes last.
        return Ok(());
    }
    let plan = context.plan(stdin, metadata.stdin_private).await?;
    context.artifacts.get(Kind::Program, program).await?;

    let (gate, _permits) = context.client.results();
    let emitter = Emitter {
        context,
        plan: &plan,
        program,
        common,
        gate,
        spoken: AtomicBool::new(false),
        deferred: Mutex::default(),
    };
    let (markers, results) = context.client.results();
    tokio::try_join!(
        emitter.emit_deferred_proofs(),
        emitter.execute(markers, metadata.cycle_limit),
        emitter.collect_markers(results),
    )?;
    emitter.emit_precompiles().await?;
    context.reach(Point::LastMessage).await?;

    let execution = Execution::of(&plan, program);
    let execution = serde_json::to_vec(&execution).unwrap_or_default();
    let artifacts = &context.artifacts;
    artifacts.put(Kind::Artifact, output, &execution).await?;
    context.reach(Point::Stored).await
}

/// An execution that emits shards.
struct Emitter<'a> {
    context: &'a Context,
    plan: &'a Plan,
    program: &'a str,
    common: &'a str,
    /// SP1 holds a permit for each shard until it is proven, and so waits for each.
    gate: Asker,
    /// Whether a message was sent.
    spoken: AtomicBool,
    /// What shards leave for precompile shards, by their marker.
    deferred: Mutex<HashMap<String, String>>,
}

impl Emitter<'_> {
    /// Proofs that the program takes as input.
    async fn emit_deferred_proofs(&self) -> Result<(), TaskError> {
        let (context, kind) = (self.context, TaskType::RecursionDeferred);
        for i in 0..u64::from(self.plan.graph().deferred_proofs) {
            let (data, proof) = (context.artifacts.mint(), context.artifacts.mint());
            let size = self.plan.graph().bytes.proof;
            context.artifacts.put_noise(&data, size).await?;
            let inputs = vec![self.common.to_owned(), data];
            let work = self.plan.work(kind, i);
            let task = context
                .create(kind, inputs, vec![proof.clone()], work)
                .await;
            self.tell(task, Range::place(i), proof).await?;
        }
        Ok(())
    }

    /// The execution itself: core shards while it runs, then those of memory. Ends `markers`.
    async fn execute(&self, markers: Asker, limit: Option<u64>) -> Result<(), TaskError> {
        let graph = self.plan.graph();
        let time = self.plan.work(TaskType::CoreExecute, 0).duration();
        tokio::time::sleep(time / 2).await;
        self.context.reach(Point::Running).await?;
        tokio::time::sleep(time / 2).await;
        check(self.plan, limit)?;

        let first = u64::from(graph.deferred_proofs);
        let (started, pace) = (tokio::time::Instant::now(), self.plan.pace());
        let emit = |i: u32| {
            let markers = &markers;
            async move {
                tokio::time::sleep_until(started + pace * i).await;
                self.emit(
                    u64::from(i),
                    Range::place(first + u64::from(i)),
                    Some(markers),
                )
                .await
            }
        };
        futures::stream::iter(0..graph.shards)
            .map(emit)
            .buffer_unordered(graph.emitters as usize)
            .try_collect::<()>()
            .await?;
        // Only the last of it tells how the program ended.
        if graph.exit_code != 0 {
            let message = format!("the program exited with code {}", graph.exit_code);
            return Err(TaskError::program(message));
        }
        let shards = u64::from(graph.shards);
        for i in 0..u64::from(graph.memory_shards) {
            let range = Range::place(first + shards + i);
            self.emit(shards + i, range, None).await?;
        }
        Ok(())
    }

    /// Takes in what shards leave for precompile shards, until all markers are complete.
    async fn collect_markers(&self, mut results: Results) -> Result<(), TaskError> {
        while let Some((marker, status)) = results.next().await {
            if status != TaskStatus::Succeeded {
                return Err(TaskError::Child(format!("marker {marker}")));
            }
            let deferred = self.deferred().remove(&marker);
            if let Some(deferred) = deferred {
                let artifacts = &self.context.artifacts;
                artifacts.get(Kind::Artifact, &deferred).await?;
                artifacts.delete(&[deferred]).await?;
            }
        }
        Ok(())
    }

    async fn emit_precompiles(&self) -> Result<(), TaskError> {
        let graph = self.plan.graph();
        let first = u64::from(graph.shards) + u64::from(graph.memory_shards);
        for i in 0..u64::from(graph.precompile_shards) {
            self.emit(first + i, Range::PRECOMPILE, None).await?;
        }
        Ok(())
    }

    /// Makes a task of one shard. With `markers` it returns a deferred record.
    async fn emit(
        &self,
        index: u64,
        range: Range,
        markers: Option<&Asker>,
    ) -> Result<(), TaskError> {
        let (context, artifacts) = (self.context, &self.context.artifacts);
        let record = artifacts.mint();
        let deferred = match markers {
            Some(_) => Some((context.create_marker().await, artifacts.mint())),
            None => None,
        };
        let size = self.plan.graph().bytes.record;
        artifacts.put_noise(&record, size).await?;
        let proof = artifacts.mint();
        let marker = deferred.as_ref().map(|(marker, _)| marker.clone());
        let inputs = vec![
            self.program.to_owned(),
            self.common.to_owned(),
            record,
            marker.unwrap_or_else(|| NO_MARKER.to_owned()),
        ];
        let output = deferred.as_ref().map(|(_, output)| output.clone());
        let outputs = std::iter::once(proof.clone()).chain(output).collect();
        let work: Work = self.plan.work(TaskType::ProveShard, index);
        let kind = TaskType::ProveShard;
        let task = context.create(kind, inputs, outputs, work).await;
        self.gate.want(&task);
        self.tell(task, range, proof).await?;
        if let (Some(markers), Some((marker, output))) = (markers, deferred) {
            self.deferred().insert(marker.clone(), output);
            markers.want(&marker);
        }
        Ok(())
    }

    async fn tell(&self, task: String, range: Range, proof: String) -> Result<(), TaskError> {
        let message = ShardProof { task, range, proof };
        let client = &self.context.client;
        client.say(&self.context.task_id, message.encode()).await;
        if !self.spoken.swap(true, Ordering::AcqRel) {
            self.context.reach(Point::FirstMessage).await?;
        }
        Ok(())
    }

    fn deferred(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

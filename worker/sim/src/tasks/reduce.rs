//! The Controller's part in joining the shards' proofs: it waits for them, and creates reductions as soon as there are enough neighbours.

use std::collections::HashMap;

use provost_artifacts::Kind;
use provost_proto::worker::{TaskStatus, TaskType};
use provost_scheduler::retry::FailureClass;

use super::context::Context;
use crate::coordinator::{Asker, Messages};
use crate::failure::TaskError;
use crate::graph::{Batch, Leaf, Seen, ShardProof, Step, Tree};
use crate::profile::Plan;

/// Waits for the proofs of all shards and stores them as one artifact.
pub(super) async fn collect(
    context: &Context,
    mut messages: Messages,
    output: &str,
    size: u32,
) -> Result<(), TaskError> {
    let (asker, mut results) = context.client.results();
    let mut seen = Seen::default();
    while let Some(payload) = messages.next().await {
        let shard = decode(&payload)?;
        if !seen.is_new(&shard) {
            continue;
        }
        asker.want(&shard.task);
        match results.next().await {
            Some((_, TaskStatus::Succeeded)) => {}
            _ => return Err(TaskError::Child(format!("core proof task {}", shard.task))),
        }
        context.artifacts.get(Kind::Artifact, &shard.proof).await?;
    }
    Ok(context.artifacts.put_noise(output, size).await?)
}

/// Joins the proofs of all shards into one, which becomes `output`.
pub(super) async fn join(
    context: &Context,
    plan: &Plan,
    mut messages: Messages,
    output: &str,
) -> Result<(), TaskError> {
    let (shard_asker, mut shards) = context.client.results();
    let (asker, mut reductions) = context.client.results();
    let mut joiner = Joiner {
        context,
        plan,
        output,
        asker,
        created: 0,
        running: HashMap::new(),
    };
    let mut tree = Tree::new(plan.graph().arity);
    let mut seen = Seen::default();
    let mut count = 0;
    let mut waiting: HashMap<String, Leaf> = HashMap::new();
    let mut listening = true;
    loop {
        let steps: Vec<Step> = tokio::select! {
            message = messages.next(), if listening => match message {
                Some(payload) => {
                    let shard = decode(&payload)?;
                    if seen.is_new(&shard) {
                        count += 1;
                        shard_asker.want(&shard.task);
                        let leaf = Leaf { range: shard.range, proof: shard.proof };
                        waiting.insert(shard.task, leaf);
                    }
                    Vec::new()
                }
                None => {
                    listening = false;
                    tree.counted(count).into_iter().collect()
                }
            },
            Some((task, status)) = shards.next() => {
                succeeded("core proof task", &task, status)?;
                waiting.remove(&task).map(|leaf| tree.leaf(leaf)).unwrap_or_default()
            }
            Some((task, status)) = reductions.next() => {
                succeeded("reduction", &task, status)?;
                let proof = joiner.running.remove(&task);
                proof.and_then(|proof| tree.reduced(proof)).into_iter().collect()
            }
            else => return Err(TaskError::own(FailureClass::Bug, "results ended early")),
        };
        for step in steps {
            match step {
                Step::Reduce(batch) => joiner.create(batch).await,
                Step::Done => return Ok(()),
                Step::Wedged => {
                    let message = "the tree of reductions is wedged with no pending work";
                    return Err(TaskError::own(FailureClass::Bug, message));
                }
            }
        }
    }
}

/// Creates reductions.
struct Joiner<'a> {
    context: &'a Context,
    plan: &'a Plan,
    output: &'a str,
    asker: Asker,
    created: u64,
    running: HashMap<String, Leaf>,
}

impl Joiner<'_> {
    async fn create(&mut self, batch: Batch) {
        let proof = match batch.is_last {
            true => self.output.to_owned(),
            false => self.context.artifacts.mint(),
        };
        let mut inputs = vec![batch.is_last.to_string(), batch.range.to_literal()];
        for member in batch.members {
            inputs.push(member.range.to_literal());
            inputs.push(member.proof);
        }
        let kind = TaskType::RecursionReduce;
        let work = self.plan.work(kind, self.created);
        self.created += 1;
        let outputs = vec![proof.clone()];
        let task = self.context.create(kind, inputs, outputs, work).await;
        self.asker.want(&task);
        let range = batch.range;
        self.running.insert(task, Leaf { range, proof });
    }
}

fn decode(payload: &[u8]) -> Result<ShardProof, TaskError> {
    ShardProof::decode(payload)
        .map_err(|error| TaskError::own(FailureClass::Bug, error.to_string()))
}

fn succeeded(what: &str, task: &str, status: TaskStatus) -> Result<(), TaskError> {
    match status {
        TaskStatus::Succeeded => Ok(()),
        _ => Err(TaskError::Child(format!("{what} {task}"))),
    }
}

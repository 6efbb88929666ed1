//! Bounds of the schema itself.

use serde_json::{Value, json};

use crate::space::{Space, causes, object};

struct Bound {
    kind: &'static str,
    spec: Value,
    field: &'static str,
    /// Part of the answer.
    says: &'static str,
}

fn proof(change: Value, field: &'static str, says: &'static str) -> Bound {
    let mut spec = json!({"program": {"artifact": "program_00"}});
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    Bound {
        kind: "ProofRequest",
        spec,
        field,
        says,
    }
}

fn pool(change: Value, field: &'static str, says: &'static str) -> Bound {
    let mut spec = json!({"class": "All"});
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    Bound {
        kind: "WorkerPool",
        spec,
        field,
        says,
    }
}

fn entries(entries: Value, field: &'static str, says: &'static str) -> Bound {
    proof(json!({"stdin": {"entries": entries}}), field, says)
}

fn proofs() -> Vec<Bound> {
    let long = "a".repeat(300);
    vec![
        Bound {
            kind: "ProofRequest",
            spec: json!({}),
            field: "spec.program",
            says: "Required value",
        },
        proof(
            json!({"mode": "compressed"}),
            "spec.mode",
            "supported values: \"Execute\", \"Core\", \"Compressed\", \"Groth16\", \"Plonk\"",
        ),
        proof(
            json!({"program": {"artifact": long}}),
            "spec.program.artifact",
            "may not be more than 128 bytes",
        ),
        proof(
            json!({"program": {"artifact": "../etc"}}),
            "spec.program.artifact",
            "should match",
        ),
        proof(
            json!({"program": {"artifact": ""}}),
            "spec.program.artifact",
            "at least 1 chars long",
        ),
        proof(
            json!({"program": {"inline": ""}}),
            "spec.program.inline",
            "at least 4 chars long",
        ),
        proof(
            json!({"program": {"configMap": {"name": long, "key": "a"}}}),
            "spec.program.configMap.name",
            "may not be more than 253 bytes",
        ),
        proof(
            json!({"program": {"configMap": {"name": "a"}}}),
            "spec.program.configMap.key",
            "Required value",
        ),
        proof(
            json!({"priority": 1001}),
            "spec.priority",
            "less than or equal to 1000",
        ),
        proof(
            json!({"priority": -1001}),
            "spec.priority",
            "greater than or equal to -1000",
        ),
        proof(
            json!({"deadline": "tomorrow"}),
            "spec.deadline",
            "must be of type date-time",
        ),
        // What follows is RFC 3339, and no time that the operator could read: its watch would break on it.
        proof(
            json!({"deadline": "9999-12-31T23:59:59Z"}),
            "spec.deadline",
            "no such time can be waited for",
        ),
        proof(
            json!({"deadline": "2030-01-01T00:00:00.1234567890Z"}),
            "spec.deadline",
            "should match",
        ),
        proof(
            json!({"deadline": "2030-01-01T00:00:00,1234567890Z"}),
            "spec.deadline",
            "should match",
        ),
        proof(
            json!({"deadline": "2030-01-01T00:00:00+01:60"}),
            "spec.deadline",
            "should match",
        ),
        proof(
            json!({"deadline": "2030-01-01T00:00:00+99:99"}),
            "spec.deadline",
            "",
        ),
        proof(
            json!({"deadline": "2030-02-30T00:00:00Z"}),
            "spec.deadline",
            "",
        ),
        proof(
            json!({"ttlSecondsAfterFinished": -1}),
            "spec.ttlSecondsAfterFinished",
            "greater than or equal to 0",
        ),
        proof(
            json!({"ttlSecondsAfterFinished": 315360001}),
            "spec.ttlSecondsAfterFinished",
            "less than or equal to 315360000",
        ),
        proof(
            json!({"limits": {"cycles": 0}}),
            "spec.limits.cycles",
            "greater than or equal to 1",
        ),
        proof(
            json!({"limits": {"gas": 0}}),
            "spec.limits.gas",
            "greater than or equal to 1",
        ),
        proof(
            json!({"limits": {"parallelism": 0}}),
            "spec.limits.parallelism",
            "greater than or equal to 1",
        ),
        proof(
            json!({"limits": {"parallelism": 10001}}),
            "spec.limits.parallelism",
            "less than or equal to 10000",
        ),
        proof(
            json!({"limits": {"backoff": -1}}),
            "spec.limits.backoff",
            "greater than or equal to 0",
        ),
        proof(
            json!({"limits": {"backoff": 101}}),
            "spec.limits.backoff",
            "less than or equal to 100",
        ),
        entries(
            json!(vec![json!({"u32": 1}); 101]),
            "spec.stdin.entries",
            "must have at most 100 items",
        ),
        entries(
            json!([{"u32": -1}]),
            "spec.stdin.entries[0].u32",
            "greater than or equal to 0",
        ),
        entries(
            json!([{"u32": 4294967296u64}]),
            "spec.stdin.entries[0].u32",
            "less than or equal to 4294967295",
        ),
        entries(
            json!([{"u32": 1.5}]),
            "spec.stdin.entries[0].u32",
            "must be of type integer",
        ),
        entries(
            json!([{"u64": -1}]),
            "spec.stdin.entries[0].u64",
            "greater than or equal to 0",
        ),
        entries(
            json!([{"u64": 9223372036854775808u64}]),
            "spec.stdin.entries[0].u64",
            "must be of type integer",
        ),
        entries(
            json!([{"u64": u64::MAX}]),
            "spec.stdin.entries[0].u64",
            "must be of type integer",
        ),
        entries(
            json!([{"base64": "A".repeat(65540)}]),
            "spec.stdin.entries[0].base64",
            "may not be more than 65536 bytes",
        ),
    ]
}

fn pools() -> Vec<Bound> {
    let many = |n: usize, value: &dyn Fn(usize) -> Value| -> Value {
        Value::Object((0..n).map(|i| (format!("k{i}"), value(i))).collect())
    };
    let env = |n: usize| -> Value { (0..n).map(|i| json!({"name": format!("V{i}")})).collect() };
    vec![
        Bound {
            kind: "WorkerPool",
            spec: json!({}),
            field: "spec.class",
            says: "Required value",
        },
        pool(
            json!({"class": "Gpu"}),
            "spec.class",
            "supported values: \"CPU\", \"GPU\", \"All\"",
        ),
        pool(
            json!({"replicas": -1}),
            "spec.replicas",
            "greater than or equal to 0",
        ),
        pool(
            json!({"replicas": 1001}),
            "spec.replicas",
            "less than or equal to 1000",
        ),
        pool(json!({"image": ""}), "spec.image", "at least 1 chars long"),
        pool(
            json!({"image": "i".repeat(513)}),
            "spec.image",
            "may not be more than 512 bytes",
        ),
        pool(
            json!({"capacity": 0}),
            "spec.capacity",
            "greater than or equal to 1",
        ),
        pool(
            json!({"capacity": 1000001}),
            "spec.capacity",
            "less than or equal to 1000000",
        ),
        pool(
            json!({"proverPermits": 0}),
            "spec.proverPermits",
            "greater than or equal to 1",
        ),
        pool(
            json!({"proverPermits": 65}),
            "spec.proverPermits",
            "less than or equal to 64",
        ),
        pool(
            json!({"terminationGracePeriodSeconds": 86401}),
            "spec.terminationGracePeriodSeconds",
            "less than or equal to 86400",
        ),
        pool(
            json!({"nodeSelector": many(33, &|_| json!(""))}),
            "spec.nodeSelector",
            "must have at most 32 items",
        ),
        pool(
            json!({"nodeSelector": {"a": "v".repeat(64)}}),
            "spec.nodeSelector.a",
            "may not be more than 63 bytes",
        ),
        pool(
            json!({"resources": {"limits": many(17, &|_| json!(1))}}),
            "spec.resources.limits",
            "must have at most 16 items",
        ),
        pool(
            json!({"resources": {"limits": {"cpu": "1".repeat(33)}}}),
            "spec.resources.limits.cpu",
            "may not be more than 32 bytes",
        ),
        pool(
            json!({"env": env(65)}),
            "spec.env",
            "must have at most 64 items",
        ),
        pool(
            json!({"env": [{"name": "A"}, {"name": "A"}]}),
            "spec.env[1]",
            "Duplicate value",
        ),
        pool(
            json!({"env": [{"name": "A", "value": "v".repeat(4097)}]}),
            "spec.env[0].value",
            "may not be more than 4096 bytes",
        ),
        pool(
            json!({"tolerations": vec![json!({"operator": "Exists"}); 33]}),
            "spec.tolerations",
            "must have at most 32 items",
        ),
        pool(
            json!({"tolerations": [{"operator": "Any"}]}),
            "spec.tolerations[0].operator",
            "supported values: \"Equal\", \"Exists\"",
        ),
    ]
}

async fn refused(space: &Space, bounds: Vec<Bound>) {
    let mut wrong = Vec::new();
    for bound in bounds {
        let object = object(bound.kind, "bound", bound.spec);
        let found = match space.create(&object).await {
            Ok(_) => panic!("accepted, but {} should say {:?}", bound.field, bound.says),
            Err(status) => causes(&status),
        };
        if !found
            .get(bound.field)
            .is_some_and(|all| all.iter().any(|m| m.contains(bound.says)))
        {
            wrong.push(format!(
                "{}: {:?} is not in {found:?}",
                bound.field, bound.says
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn of_proof_requests() {
    let space = Space::new("bounds-proof").await;
    refused(&space, proofs()).await;
    space.close().await;
}

#[tokio::test]
async fn of_worker_pools() {
    let space = Space::new("bounds-pool").await;
    refused(&space, pools()).await;
    space.close().await;
}

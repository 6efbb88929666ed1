//! Proofs of every mode, and what a stdin may ask for.

use provost_artifacts::Kind;
use provost_coordinator::FailureClass;
use provost_worker_sim::Class;
use provost_worker_sim::graph::Mode;
use provost_worker_sim::profile::Graph;

use crate::cluster::{Cluster, again, config, graph, output};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_ends_with_a_proof_and_leaves_nothing() {
    let cluster = Cluster::with_server(config()).await;
    let graph = graph(6);
    let modes = [
        ("compressed", Mode::Compressed),
        ("groth16", Mode::Groth16),
        ("plonk", Mode::Plonk),
    ];
    for (proof, mode) in modes {
        let workers = cluster.workers(Class::All, 2, &graph).await;
        cluster.submit(proof, Some(mode), "", "0").await;
        let said = cluster.success(proof).await;
        assert_eq!(said["cycles"], 1_000_000);
        assert_eq!(said["exit_code"], 0);
        assert_eq!(said["proof_size"], 2048);
        assert!(said["vk_hash"].as_str().unwrap().starts_with("0x"));
        assert_eq!(said["public_values_hash"].as_str().unwrap().len(), 64);
        assert!(said.get("gas").is_none());
        assert_eq!(again(&[&workers], &graph, mode, 1), []);
        let stored = cluster.store.head(Kind::Proof, &output(proof)).await;
        assert!(stored.unwrap().is_some());
    }
    cluster.assert_clean(modes.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_proof_leaves_its_shards_as_sp1_does() {
    let cluster = Cluster::start().await;
    let graph = graph(6);
    let workers = cluster.workers(Class::All, 1, &graph).await;
    cluster.submit("core", Some(Mode::Core), "", "0").await;
    cluster.success("core").await;
    assert_eq!(again(&[&workers], &graph, Mode::Core, 1), []);
    // Six shards and the memory: found by their tag.
    assert_eq!(cluster.sweep("core").await, 7);
    cluster.assert_clean(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deferred_proofs_and_precompiles_join_the_tree() {
    let cluster = Cluster::start().await;
    let graph = Graph {
        memory_shards: 2,
        precompile_shards: 5,
        deferred_proofs: 3,
        ..graph(9)
    };
    let workers = cluster.workers(Class::All, 3, &graph).await;
    cluster.prove("aggregate").await;
    cluster.success("aggregate").await;
    assert_eq!(again(&[&workers], &graph, Mode::Compressed, 1), []);
    // The inputs of the deferred tasks: SP1 deletes them nowhere.
    assert_eq!(cluster.sweep("aggregate").await, 3);
    cluster.assert_clean(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_counts_and_a_bad_exit_code_is_a_result() {
    let cluster = Cluster::start().await;
    let _workers = cluster.workers(Class::Cpu, 1, &Graph::default()).await;
    cluster.submit("run", None, "", "0").await;
    let said = cluster.success("run").await;
    assert_eq!(
        (&said["cycles"], &said["exit_code"]),
        (&1_000_000.into(), &0.into())
    );
    assert_eq!(said["gas"], 1_100_000);
    let hint = r#"{"sim":{"cycles":77,"exitCode":3}}"#;
    cluster.submit("bad", None, hint, "0").await;
    let said = cluster.success("bad").await;
    assert_eq!(
        (&said["cycles"], &said["exit_code"]),
        (&77.into(), &3.into())
    );
    assert!(said.get("vk_hash").is_none());
    cluster.assert_clean(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_proof_may_choose_its_own_graph() {
    let cluster = Cluster::start().await;
    let workers = cluster.workers(Class::All, 2, &graph(3)).await;
    let hint = r#"{"sim":{"shards":30,"shardsPerSecond":2000,"emitters":4}}"#;
    cluster
        .submit("large", Some(Mode::Compressed), hint, "0")
        .await;
    cluster.success("large").await;
    assert_eq!(again(&[&workers], &graph(30), Mode::Compressed, 1), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_programs_own_faults_fail_its_proof_at_once() {
    let cluster = Cluster::start().await;
    let workers = cluster.workers(Class::All, 1, &graph(3)).await;
    let fault = r#"{"sim":{"fail":{"class":"ProgramFault","message":"ran into a wall"}}}"#;
    let cases = [
        ("verdict", fault, "0", "ran into a wall"),
        (
            "exit",
            r#"{"sim":{"exitCode":9}}"#,
            "0",
            "exited with code 9",
        ),
        ("limit", "", "1000", "cycle limit exceeded"),
        ("nonsense", r#"{"sim":{"shards":0}}"#, "0", "at least 1"),
    ];
    for (proof, hint, limit, expected) in cases {
        cluster
            .submit(proof, Some(Mode::Compressed), hint, limit)
            .await;
        let (class, message) = cluster.failure(proof).await;
        assert_eq!(class, FailureClass::ProgramFault, "{proof}: {message}");
        assert!(message.contains(expected), "{proof}: {message}");
    }
    use provost_proto::worker::TaskType::Controller;
    assert_eq!(workers.stats().of(Controller).started, 4);
    cluster.assert_idle().await;
}

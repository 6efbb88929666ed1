use serde_json::json;

use super::{Case, Cases};

const QUANTITY: &str = "every value must be a quantity, for example 4, 500m or 24Gi";
const ABOVE: &str = "a request may not be above the limit of the same resource";
const ONE_GPU: &str = "a worker proves on one GPU: ask for 1, and for more workers by replicas";
const ONE_KIND: &str = "a worker proves on one GPU: ask for one of these resources of NVIDIA's";
const NO_GPU: &str = "workers of class CPU use no GPU: use class GPU or All, or leave out nvidia.com/... and resourceClaims";
const ENV_NAME: &str = "not the name of an environment variable: use letters, digits and '_', not starting with a digit";
const CLAIM_NAME: &str =
    "not the name of a claim: use lower-case letters, digits and '-', for example gpu";
const ENV_TAKEN: &str =
    "the operator itself sets PROVOST_..., AWS_..., POD_NAME, POD_UID, POD_NAMESPACE";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Cases::new("WorkerPool");
    cases.accept("the least pool", json!({"class": "CPU"}));
    let long = cases.add(
        "a pool name of 51 characters",
        None,
        json!({"class": "CPU"}),
        &[(
            "metadata.name",
            "the name may have at most 50 characters, since the names of the pods begin with it",
        )],
    );
    long.name = Some("n".repeat(51));
    resources(&mut cases);
    env(&mut cases);
    tolerations(&mut cases);
    claims(&mut cases);
    gpus(&mut cases);
    known_answer(&mut cases);
    cases.list
}

fn resources(cases: &mut Cases) {
    let mut add = |title, resources, refused: &[_]| {
        cases.add(
            title,
            None,
            json!({"class": "All", "resources": resources}),
            refused,
        );
    };
    add(
        "quantities of all kinds",
        json!({
            "requests": {"cpu": 1, "memory": "1024Mi", "example.com/a": "2"},
            "limits": {"cpu": "1000m", "memory": "1Gi", "nvidia.com/gpu": 1},
        }),
        &[],
    );
    add(
        "a limit that is no quantity",
        json!({"limits": {"memory": "24GB"}}),
        &[("spec.resources.limits", QUANTITY)],
    );
    add(
        "several devices for one worker",
        json!({"limits": {"nvidia.com/gpu": 8}}),
        &[("spec.resources.limits", ONE_GPU)],
    );
    add(
        "part of a device",
        json!({"limits": {"nvidia.com/mig-3g.40gb": "1", "nvidia.com/gpu": 0}}),
        &[],
    );
    add(
        "devices of two kinds for one worker",
        json!({"limits": {"nvidia.com/mig-3g.40gb": 1, "nvidia.com/gpu": "1"}}),
        &[("spec.resources.limits", ONE_KIND)],
    );
    add(
        "a request that is no quantity",
        json!({"requests": {"cpu": ""}}),
        &[("spec.resources.requests", QUANTITY)],
    );
    add(
        "a request above its limit",
        json!({"requests": {"memory": "1025Mi"}, "limits": {"memory": "1Gi"}}),
        &[("spec.resources.requests", ABOVE)],
    );
}

fn env(cases: &mut Cases) {
    let mut add = |title, name: &str, refused: &[_]| {
        let env = json!([{"name": "FIRST", "value": "1"}, {"name": name}]);
        cases.add(title, None, json!({"class": "All", "env": env}), refused);
    };
    add("an environment variable", "SHARD_SIZE", &[]);
    add(
        "an environment variable with a dash",
        "SHARD-SIZE",
        &[("spec.env[1].name", ENV_NAME)],
    );
    for name in [
        "PROVOST_STORE_BUCKET",
        "AWS_SECRET_ACCESS_KEY",
        "POD_NAME",
        "POD_UID",
        "POD_NAMESPACE",
    ] {
        add(
            "an environment variable of the operator",
            name,
            &[("spec.env[1].name", ENV_TAKEN)],
        );
    }
}

fn claims(cases: &mut Cases) {
    let mut add = |title, name, refused: &[_]| {
        let claim = json!({"name": name, "resourceClaimTemplateName": "h100"});
        let spec = json!({"class": "GPU", "runtimeClassName": "nvidia", "resourceClaims": [claim]});
        cases.add(title, None, spec, refused);
    };
    add("a claim to a device", "gpu-0", &[]);
    add(
        "a claim to a device without a proper name",
        "gpu-",
        &[("spec.resourceClaims[0].name", CLAIM_NAME)],
    );
}

fn gpus(cases: &mut Cases) {
    let (gpu, none) = (
        json!({"limits": {"nvidia.com/gpu": 1}}),
        json!({"limits": {"nvidia.com/gpu": 0}}),
    );
    let claim = |name| json!({"name": name, "resourceClaimTemplateName": "h100"});
    let mut add = |title, spec, refused: &[_]| {
        cases.add(title, None, spec, refused);
    };
    add(
        "a gpu of workers that only execute",
        json!({"class": "CPU", "resources": gpu}),
        &[("spec.class", NO_GPU)],
    );
    add(
        "a claim of workers that only execute",
        json!({"class": "CPU", "resourceClaims": [claim("gpu")]}),
        &[("spec.class", NO_GPU)],
    );
    add(
        "no gpu of workers that only execute",
        json!({"class": "CPU", "resources": none, "resourceClaims": []}),
        &[],
    );
    add(
        "a gpu of workers that do both",
        json!({"class": "All", "resources": gpu}),
        &[],
    );
    add(
        "a gpu by a limit and another by a claim",
        json!({"class": "GPU", "resources": gpu, "resourceClaims": [claim("gpu")]}),
        &[(
            "spec.resourceClaims",
            "a worker proves on one GPU: ask for it by a claim or by a limit, not by both",
        )],
    );
    add(
        "two gpus by claims",
        json!({"class": "GPU", "resourceClaims": [claim("a"), claim("b")]}),
        &[(
            "spec.resourceClaims",
            "a worker proves on one GPU: leave one claim, and ask for more workers by replicas",
        )],
    );
}

fn known_answer(cases: &mut Cases) {
    for (title, class) in [
        ("a known answer of provers", "GPU"),
        ("a known answer of workers that do both", "All"),
    ] {
        cases.accept(title, json!({"class": class, "knownAnswer": true}));
    }
    cases.refuse(
        "a known answer of workers that only execute",
        json!({"class": "CPU", "knownAnswer": true}),
        "spec.knownAnswer",
        "knownAnswer is for workers that prove: leave it out, or use class GPU or All",
    );
}

fn tolerations(cases: &mut Cases) {
    let mut add = |title, toleration, refused: &[_]| {
        cases.add(
            title,
            None,
            json!({"class": "GPU", "tolerations": [toleration]}),
            refused,
        );
    };
    add(
        "a toleration of everything",
        json!({"operator": "Exists"}),
        &[],
    );
    add(
        "a toleration of a value",
        json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"}),
        &[],
    );
    add(
        "a toleration for a while",
        json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}),
        &[],
    );
    add(
        "a toleration of any value and one",
        json!({"key": "gpu", "operator": "Exists", "value": "yes"}),
        &[(
            "spec.tolerations[0]",
            "a toleration with operator Exists takes no value",
        )],
    );
    add(
        "a toleration of nothing",
        json!({"value": "yes"}),
        &[(
            "spec.tolerations[0]",
            "a toleration without key needs operator Exists",
        )],
    );
    add(
        "a toleration for a while without effect",
        json!({"key": "gpu", "operator": "Exists", "tolerationSeconds": 30}),
        &[(
            "spec.tolerations[0]",
            "tolerationSeconds needs effect NoExecute",
        )],
    );
}

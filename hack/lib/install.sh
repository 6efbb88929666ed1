# shellcheck shell=bash
# Installing Provost into the cluster that KUBECONFIG names.

SYSTEM_NAMESPACE=provost-system

# build_cli: the kubectl plugin, into the cache's bin.
build_cli() {
    build_programs
    install -m 755 "$(program kubectl-proof)" "$PROVOST_BIN/kubectl-proof"
}

# install_provost: applies config/default with the images that hack/images made,
# and waits for the operator and the store.
install_provost() {
    # shellcheck source=/dev/null
    source "$PROVOST_CACHE/images.env"
    local overlay
    overlay="$(mktemp -d "$PROVOST_CACHE/overlay.XXXXXX")"
    # kustomize takes no absolute paths as resources. One worker, whatever a test that was broken off has left.
    cat >"$overlay/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: ["$(realpath --relative-to="$overlay" "$PROVOST_ROOT/config/default")"]
images:
- name: localhost/provost-operator
  newName: ${PROVOST_OPERATOR_IMAGE%:*}
  newTag: "${PROVOST_OPERATOR_IMAGE##*:}"
patches:
- target: {kind: Deployment, name: provost-operator}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: provost-operator}
    spec:
      template:
        spec:
          containers:
          - name: operator
            env:
            - {name: PROVOST_WORKER_IMAGE, value: "$PROVOST_WORKER_IMAGE"}
            - {name: PROVOST_WORKER_GPU_IMAGE, value: "${PROVOST_WORKER_GPU_IMAGE:-}"}
- target: {kind: WorkerPool, name: workers}
  patch: |-
    - {op: add, path: /spec/replicas, value: 1}
YAML
    # Definitions first: a custom object is refused while its kind is not served.
    kubectl apply --server-side --force-conflicts -k "$PROVOST_ROOT/config/crd" >/dev/null
    kubectl wait --for=condition=Established --timeout=60s \
        crd/proofrequests.provost.dev crd/provingtasks.provost.dev crd/workerpools.provost.dev >/dev/null
    kubectl apply --server-side --force-conflicts -k "$overlay" >/dev/null
    rm -rf "$overlay"
    kubectl -n "$SYSTEM_NAMESPACE" rollout status deployment/provost-operator --timeout=120s >/dev/null
    kubectl -n "$SYSTEM_NAMESPACE" rollout status statefulset/provost-store --timeout=120s >/dev/null
    wait_for "an operator that leads" 60 leader_ready
}

leader_ready() {
    [[ -n "$(kubectl -n "$SYSTEM_NAMESPACE" get pods -l provost.dev/leader=true -o name)" ]]
}

# wait_for_workers: until all workers of the default pool are of the image that
# hack/images made last, and take tasks. One that is busy is replaced when it is done.
wait_for_workers() { wait_for "workers of $PROVOST_WORKER_IMAGE" 600 workers_current || pool_says; }

# pool_says: why the default pool's workers are not there. Fails, as who asks has.
pool_says() {
    say "the pool says: $(kubectl -n "$SYSTEM_NAMESPACE" get workerpool workers -o jsonpath='{.status.conditions[?(@.type=="Ready")].message}')"
    kubectl -n "$SYSTEM_NAMESPACE" get pods -l provost.dev/pool=workers -o \
        jsonpath='{range .items[*]}{.metadata.name}: {range .status.conditions[?(@.status=="False")]}{.reason} {.message}; {end}{"\n"}{end}' >&2
    return 1
}

# memory_present: whether a worker of the default pool fits on this machine.
memory_present() {
    local asks has
    asks="$(sed -n '/requests:/,$s/^ *memory: *\([0-9]*\)Gi.*/\1/p' "$PROVOST_ROOT/config/pool/workers.yaml" | head -1)"
    has="$(awk '/^MemTotal:/ { print int($2 / 1048576) }' /proc/meminfo)"
    [[ -n "$asks" ]] || return 0
    ((has > asks)) || die "this machine has $has GiB of memory, and a worker of config/pool/workers.yaml asks for $asks: lower its resources.requests, or take a larger machine"
}

workers_current() {
    local workers
    workers="$(kubectl -n "$SYSTEM_NAMESPACE" get pods -l provost.dev/pool=workers -o \
        jsonpath='{range .items[*]}{.spec.containers[0].image} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')"
    [[ "$(sort -u <<<"$workers")" == "$PROVOST_WORKER_IMAGE True" ]]
}

# wait_for_prover: until a worker of the default pool has built its engine.
wait_for_prover() {
    wait_for "a worker with a proving engine" 300 prover_ready || pool_says
}

prover_ready() {
    [[ "$(kubectl -n "$SYSTEM_NAMESPACE" get workerpool workers -o jsonpath='{.status.roles}')" == *'prove '[1-9]* ]]
}

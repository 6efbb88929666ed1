# shellcheck shell=bash
# Pods for the cluster's own tests: one small program (hack/tests/probe.c) over
# the base of Provost's images, under the rules that Provost's pods keep.

PROBE_NAMESPACE=provost-probe

# make_probe_image: builds and loads it; sets PROBE_IMAGE.
make_probe_image() {
    local tree layer
    make_base_layer
    tree="$(mktemp -d)"
    mkdir -p "$tree/root/usr/bin"
    gcc -O2 -Wall -Wextra -o "$tree/root/usr/bin/probe" "$PROVOST_ROOT/hack/tests/probe.c"
    chmod -R 0755 "$tree/root"
    layer="$tree/layer.tar"
    make_layer "$tree/root" "$layer"
    PROBE_IMAGE="localhost/provost-probe:$(content_hash "$BASE_LAYER" "$layer")"
    make_image "$PROBE_IMAGE" '{"Entrypoint": ["/usr/bin/probe"], "User": "65532:65532"}' "$BASE_LAYER" "$layer"
    rm -rf "$tree"
    load_image "$PROBE_IMAGE"
}

# make_probe_namespace: one that refuses pods that ask for more than they need.
make_probe_namespace() {
    cluster_kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Namespace
metadata:
  name: $PROBE_NAMESPACE
  labels: {pod-security.kubernetes.io/enforce: restricted}
YAML
    wait_for "service account of $PROBE_NAMESPACE" 30 probe_kubectl get serviceaccount default
}

remove_probe_namespace() { cluster_kubectl delete namespace "$PROBE_NAMESPACE" --ignore-not-found --timeout 120s >/dev/null; }

probe_kubectl() { cluster_kubectl -n "$PROBE_NAMESPACE" "$@"; }

# run_probe NAME ARGUMENT...: a pod that runs the probe once, within 64 MiB of
# memory, with 16 MiB of memory at /dev/shm and a disk's at /tmp.
run_probe() {
    local name="$1" arguments
    shift
    arguments="$(jq -nc '$ARGS.positional' --args -- "$@")"
    probe_kubectl delete pod "$name" --ignore-not-found --wait --grace-period 1 >/dev/null
    probe_kubectl create -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $name
  labels: {app: $name}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: probe
    image: $PROBE_IMAGE
    imagePullPolicy: IfNotPresent
    args: $arguments
    resources: {limits: {memory: 64Mi}, requests: {cpu: 1m, memory: 16Mi}}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
    - {name: shm, mountPath: /dev/shm}
    - {name: tmp, mountPath: /tmp}
  volumes:
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: 16Mi}
  - name: tmp
    emptyDir: {}
YAML
}

# probe_ended NAME SECONDS: waits for its end; prints reason and exit code.
probe_ended() {
    wait_for "the end of pod $1" "$2" probe_phase "$1" Succeeded Failed || return 1
    probe_kubectl get pod "$1" -o jsonpath='{.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}'
}

# probe_phase NAME PHASE...: whether its phase is one of those.
probe_phase() {
    local phase name="$1"
    shift
    phase="$(probe_kubectl get pod "$name" -o jsonpath='{.status.phase}')"
    contains_line "$phase" "$(printf '%s\n' "$@")"
}

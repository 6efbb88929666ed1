# shellcheck shell=bash
# kube-controller-manager and kube-scheduler.

start_controllers() {
    local pki="$STATE/pki" local_server="https://127.0.0.1:$API_PORT"
    write_kubeconfig "$STATE/controller-manager.kubeconfig" controller-manager "$local_server"
    write_kubeconfig "$STATE/scheduler.kubeconfig" scheduler "$local_server"
    start_process kube-controller-manager "$PROVOST_BIN/kube-controller-manager" \
        --kubeconfig "$STATE/controller-manager.kubeconfig" \
        --authentication-kubeconfig "$STATE/controller-manager.kubeconfig" \
        --authorization-kubeconfig "$STATE/controller-manager.kubeconfig" \
        --bind-address 127.0.0.1 --leader-elect=false --profiling=false \
        --use-service-account-credentials \
        --root-ca-file "$pki/ca.crt" \
        --service-account-private-key-file "$pki/sa.key" \
        --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" \
        --flex-volume-plugin-dir "$STATE/volume-plugins" \
        --cluster-cidr "$POD_CIDR" --service-cluster-ip-range "$SERVICE_CIDR"
    start_process kube-scheduler "$PROVOST_BIN/kube-scheduler" \
        --kubeconfig "$STATE/scheduler.kubeconfig" \
        --authentication-kubeconfig "$STATE/scheduler.kubeconfig" \
        --authorization-kubeconfig "$STATE/scheduler.kubeconfig" \
        --bind-address 127.0.0.1 --leader-elect=false --profiling=false
    # It appears a moment later, and no pod is admitted before.
    ready_or_ended kube-controller-manager 30 cluster_kubectl -n default get serviceaccount default
    ready_or_ended kube-scheduler 30 healthy https://127.0.0.1:10259/healthz
    ready_or_ended kube-controller-manager 30 healthy https://127.0.0.1:10257/healthz
}

# healthy URL: of a program inside; its certificate is one that it made itself.
healthy() { in_namespace curl -fsSk -m 2 "$1"; }

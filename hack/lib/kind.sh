# shellcheck shell=bash
# The other provider: a cluster made by kind, for machines with Docker. The
# same kubeconfig path and the same way to load images. Unlike the local cluster
# it has never been run.

up_kind() {
    docker info >/dev/null 2>&1 ||
        die "--provider kind needs a Docker daemon that answers 'docker info'; without one use the local provider"
    command -v kind >/dev/null || die "kind is not on the PATH"
    [[ ! -e "$STATE/provider" || "$(<"$STATE/provider")" == kind ]] ||
        die "a local cluster is there: remove it with hack/cluster down first"
    build_kubernetes kubectl
    mkdir -p "$STATE"
    printf 'kind\n' >"$STATE/provider"
    if kind_exists; then
        kind export kubeconfig --name "$CLUSTER_NAME" --kubeconfig "$KUBECONFIG_FILE"
        say "already up"
    else
        step "creating kind cluster $CLUSTER_NAME" \
            kind create cluster --name "$CLUSTER_NAME" --kubeconfig "$KUBECONFIG_FILE" --wait 120s
    fi
    print_environment
}

down_kind() {
    kind delete cluster --name "$CLUSTER_NAME" --kubeconfig "$KUBECONFIG_FILE"
    rm -rf "$STATE"
    say "down"
}

status_kind() {
    kind_exists || {
        printf 'kind cluster %s: down\n' "$CLUSTER_NAME"
        return 3
    }
    cluster_kubectl get nodes -o wide
}

kind_exists() { contains_line "$CLUSTER_NAME" "$(kind get clusters 2>/dev/null)"; }

load_image_into_kind() { kind load image-archive --name "$CLUSTER_NAME" "$(image_file "$1")"; }

# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read in other files
# Which cluster this is. Two cache directories mean two clusters that may run
# side by side: the names and addresses that the host sees follow from the
# cache directory. Inside its own network namespace every cluster is the same.

# cluster_identity KIND: KIND is `full` or `api`; sets the variables below.
cluster_identity() {
    local default="${HOME:-/root}/.cache/provost" digits
    if [[ "$(realpath -m "$PROVOST_CACHE")" == "$(realpath -m "$default")" ]]; then
        CLUSTER_NUMBER=0
        CLUSTER_NAME=provost
    else
        digits="$(realpath -m "$PROVOST_CACHE" | sha256sum | cut -c1-6)"
        CLUSTER_NUMBER=$((16#$digits % 250 + 1))
        CLUSTER_NAME="provost-$CLUSTER_NUMBER"
    fi

    NODE_NAME=provost
    SERVICE_CIDR=10.96.0.0/16
    SERVICE_IP=10.96.0.1
    DNS_IP=10.96.0.10
    POD_CIDR=10.244.0.0/16
    BRIDGE=cni0

    case "$1" in
        full)
            STATE="$PROVOST_CACHE/cluster"
            # The network namespace and, to the cgroup controllers, the root of all pods.
            NETNS="$CLUSTER_NAME"
            CGROUP="$CLUSTER_NAME"
            # An interface's name has at most 15 characters.
            HOST_LINK="pv$CLUSTER_NUMBER-host"
            NODE_LINK="pv$CLUSTER_NUMBER-node"
            HOST_IP="10.245.$CLUSTER_NUMBER.1"
            NODE_IP="10.245.$CLUSTER_NUMBER.2"
            ETCD_PORT=2379
            ETCD_PEER_PORT=2380
            API_PORT=6443
            ;;
        api)
            STATE="$PROVOST_CACHE/cluster-api"
            NETNS=''
            NODE_IP=127.0.0.1
            # Below the range that the kernel hands out to clients.
            ETCD_PORT=$((21000 + CLUSTER_NUMBER * 4))
            ETCD_PEER_PORT=$((ETCD_PORT + 1))
            API_PORT=$((ETCD_PORT + 2))
            ;;
        *) die "no such kind of cluster: $1" ;;
    esac
    KUBECONFIG_FILE="$STATE/kubeconfig"
    SERVER="https://$NODE_IP:$API_PORT"
    # containerd's socket lies below it, and the kernel takes no longer name.
    ((${#STATE} < 75)) || die "$STATE: too long for the sockets below it (set PROVOST_CACHE to something shorter)"
    export KUBECONFIG="$KUBECONFIG_FILE"
}

# cluster_provider: which one made the cluster that is there; local if there is none.
cluster_provider() { cat "$STATE/provider" 2>/dev/null || printf local; }

# print_environment: the lines to go on with, for a shell to read.
print_environment() {
    # shellcheck disable=SC2016 # the reader's PATH, not this one's
    printf 'export PATH=%s:"$PATH"\nexport KUBECONFIG=%s\n' "$PROVOST_BIN" "$KUBECONFIG_FILE"
}

# kubectl of the cluster's own version, to this cluster alone.
cluster_kubectl() { "$PROVOST_BIN/kubectl" --kubeconfig "$KUBECONFIG_FILE" "$@"; }

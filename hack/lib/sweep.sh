# shellcheck shell=bash
# Takes away all that a cluster has in the kernel, whether its programs still
# run or were killed. Everything is known by its place (the state folder, the
# cgroup, the network namespace), nothing by its name alone.

# sweep_cluster: keeps certificates, etcd's objects and containerd's images.
sweep_cluster() {
    local name
    for name in kube-proxy kubelet kube-scheduler kube-controller-manager; do
        stop_process "$name"
    done
    kill_until_none shim_pids
    kill_until_none cgroup_pids
    stop_api
    stop_process containerd 10
    # One that was started while the others ended.
    kill_until_none shim_pids
    kill_until_none cgroup_pids
    kill_until_none namespace_pids
    sweep_mounts
    remove_network
    wait_for "the pods' cgroups are empty" 15 remove_cgroup
    sweep_files
}

# kill_until_none LISTER: kills what the lister names until it names nothing.
kill_until_none() {
    local pids tries=0
    while pids="$("$1")" && [[ -n "$pids" ]]; do
        # shellcheck disable=SC2086 # one word for each pid
        kill -KILL $pids 2>/dev/null || true
        ((tries++ < 100)) || die "processes do not end: $pids"
        sleep 0.1
    done
}

# shim_pids: containerd's shims outlive it; each names its containerd's socket.
shim_pids() {
    local folder arguments socket
    socket="$(containerd_socket)"
    for folder in /proc/[0-9]*; do
        { mapfile -d '' -t arguments <"$folder/cmdline"; } 2>/dev/null || continue
        [[ " ${arguments[*]} " != *" -address $socket "* ]] || printf '%s\n' "${folder#/proc/}"
    done
}

# namespace_pids: a process that remains in it keeps the namespace alive.
namespace_pids() {
    [[ ! -e "/run/netns/$NETNS" ]] || ip netns pids "$NETNS" 2>/dev/null || true
}

# sweep_mounts: root file systems, volumes and namespaces of pods, deepest first.
sweep_mounts() {
    local mount
    while read -r mount; do
        umount -l "$mount" 2>/dev/null || true
    done < <(cluster_mounts | sort -r)
}

cluster_mounts() {
    local mount real
    real="$(realpath -m "$STATE")"
    # Spaces in a mount's path are written \040.
    awk '{print $5}' /proc/self/mountinfo | while read -r mount; do
        printf '%b\n' "$mount"
    done | grep -F -e "$real/" || true
}

# sweep_files: what refers to processes and namespaces that are no more.
sweep_files() {
    local link sandbox
    while read -r sandbox; do
        rm -f "/run/containerd/s/$(shim_socket "$sandbox")" \
            "/var/lib/cni/results/$CLUSTER_NAME-$sandbox-eth0" "/var/lib/cni/results/cni-loopback-$sandbox-lo"
    done < <(sandboxes)
    for link in /var/log/containers/*; do
        [[ ! -L "$link" || "$(readlink "$link")" != "$STATE/logs/pods/"* ]] || rm -f "$link"
    done
    rm -rf "$STATE/containerd/state" "$STATE/containerd/runc" "$STATE/cni"
    remove_plugin_socket
    rmdir /run/containerd/s /run/containerd/fifo /run/containerd /var/lib/cni/results /var/lib/cni \
        /var/log/containers 2>/dev/null || true
}

# sandboxes: the ids of all pods' sandboxes that containerd has or had.
sandboxes() {
    local file
    {
        find "$STATE"/containerd/{root,state}/io.containerd.grpc.v1.cri/sandboxes -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null || true
        # One whose network was made last remains here even when containerd has forgotten it.
        for file in "/var/lib/cni/results/$CLUSTER_NAME-"*-eth0; do
            file="${file##*/"$CLUSTER_NAME"-}"
            # A longer name is of a cluster whose name begins like this one's.
            [[ ! "${file%-eth0}" =~ ^[0-9a-f]{64}$ ]] || printf '%s\n' "${file%-eth0}"
        done
    } | sort -u
}

# shim_socket SANDBOX: the name that containerd's shim gives its socket.
shim_socket() {
    printf '%s/k8s.io/%s' "$(containerd_socket)" "$1" | sha256sum | cut -d' ' -f1
}

# remove_plugin_socket: where the kubelet listens for device plugins cannot be
# chosen. It is taken away when no kubelet answers there.
remove_plugin_socket() {
    local socket=/var/lib/kubelet/device-plugins/kubelet.sock status=0
    if [[ -S "$socket" ]]; then
        curl -s -m 2 -o /dev/null --unix-socket "$socket" http://kubelet/ || status=$?
        # 7: the connection was refused.
        ((status != 7)) || rm -f "$socket"
    fi
    rmdir /var/lib/kubelet/device-plugins /var/lib/kubelet 2>/dev/null || true
}

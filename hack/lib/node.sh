# shellcheck shell=bash
# The one node: containerd, kubelet and kube-proxy, with configurations of
# their own. Nothing of a system's containerd or CNI settings is used.

# shellcheck disable=SC2034 # read by hack/cluster
NODE_PACKAGES=(containerd runc containernetworking-plugins iptables iproute2 util-linux openssl curl jq gcc libc6-dev)

CONTAINERD_SOCKET_NAME=containerd.sock

containerd_socket() { printf '%s' "$STATE/containerd/$CONTAINERD_SOCKET_NAME"; }

# images_ctr ARGUMENT...: ctr where the kubelet looks.
images_ctr() { ctr -a "$(containerd_socket)" -n k8s.io "$@"; }

# cni_plugins: the folder of the reference plugins; Debian has it elsewhere than most.
cni_plugins() {
    local folder
    for folder in "${CNI_FOLDERS[@]}"; do
        [[ -x "$folder/bridge" ]] && printf '%s' "$folder" && return 0
    done
    die "the CNI plugins are in none of ${CNI_FOLDERS[*]}"
}

start_containerd() {
    local dir="$STATE/containerd" plugins
    plugins="$(cni_plugins)"
    make_pause_image
    mkdir -p "$dir/root" "$dir/state" "$STATE/cni/conf"
    cat >"$STATE/cni/conf/10-provost.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "$CLUSTER_NAME",
  "plugins": [
    {
      "type": "bridge", "bridge": "$BRIDGE", "isGateway": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "$STATE/cni/addresses",
        "ranges": [[{"subnet": "${POD_CIDR%.0.0/16}.0.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
    cat >"$dir/config.toml" <<TOML
version = 2
root = "$dir/root"
state = "$dir/state"
# Nobody here may make a process less likely to be killed than it is already.
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "$(containerd_socket)"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  restrict_oom_score_adj = true
  # Below the state folder, so that what a killed cluster leaves is known by its place.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$plugins"
    conf_dir = "$STATE/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "$dir/runc"
TOML
    start_process containerd containerd --config "$dir/config.toml"
    ready_or_ended containerd 30 images_ctr version
    load_image "$PAUSE_IMAGE"
}

start_kubelet() {
    local pki="$STATE/pki" dir="$STATE/kubelet"
    mkdir -p "$dir" "$STATE/logs/pods"
    : >"$dir/resolv.conf"
    write_kubeconfig "$dir/kubeconfig" node "https://127.0.0.1:$API_PORT"
    make_cgroup
    cat >"$dir/config.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
containerRuntimeEndpoint: unix://$(containerd_socket)
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
# An empty one: the host's search domains are no matter of the pods.
resolvConf: $dir/resolv.conf
podLogsDir: $STATE/logs/pods
volumePluginDir: $dir/volume-plugins
evictionHard:
  memory.available: 100Mi
  nodefs.available: 1%
  nodefs.inodesFree: 1%
  imagefs.available: 1%
# Images come from no registry: one that was removed would not come back.
imageGCHighThresholdPercent: 100
maxPods: 110
YAML
    start_process kubelet "$PROVOST_BIN/kubelet" \
        --config "$dir/config.yaml" --kubeconfig "$dir/kubeconfig" --root-dir "$dir" \
        --hostname-override "$NODE_NAME" --node-ip "$NODE_IP"
    ready_or_ended kubelet 30 healthy http://127.0.0.1:10248/healthz
}

start_proxy() {
    write_kubeconfig "$STATE/proxy.kubeconfig" proxy "https://127.0.0.1:$API_PORT"
    cat >"$STATE/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $POD_CIDR
hostnameOverride: $NODE_NAME
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
oomScoreAdj: 0
# The table's size belongs to the host: it cannot be set in a namespace.
conntrack: {maxPerCore: 0, min: 0}
clientConnection: {kubeconfig: $STATE/proxy.kubeconfig}
YAML
    start_process kube-proxy "$PROVOST_BIN/kube-proxy" --config "$STATE/proxy.yaml"
    ready_or_ended kube-proxy 30 healthy http://127.0.0.1:10256/livez
}

# node_ready: by a report of the kubelet that runs now: one from before a crash
# is in etcd still.
node_ready() {
    local report since
    report="$(cluster_kubectl get node "$NODE_NAME" --request-timeout 5s -o \
        jsonpath='{range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}' 2>/dev/null)" || return 1
    [[ "$report" == 'True '* ]] || return 1
    since="$(stat -c %Y "$STATE/run/kubelet.pid" 2>/dev/null)" || return 1
    (($(date -d "${report#True }" +%s) >= since))
}

# shellcheck shell=bash
# The cluster's network namespace and the veth pair that joins it to the host.
# Pods' addresses, services' addresses, the bridge and all iptables rules exist
# only inside it and go with it.

make_network() {
    host_settings
    [[ -e "/run/netns/$NETNS" ]] || ip netns add "$NETNS"
    ip link show "$HOST_LINK" >/dev/null 2>&1 && ip link delete "$HOST_LINK"
    ip link add "$HOST_LINK" type veth peer name "$NODE_LINK" netns "$NETNS"
    ip address add "$HOST_IP/30" dev "$HOST_LINK"
    ip link set "$HOST_LINK" up

    local inside=(ip -n "$NETNS")
    "${inside[@]}" link set lo up
    "${inside[@]}" address replace "$NODE_IP/30" dev "$NODE_LINK"
    "${inside[@]}" link set "$NODE_LINK" up
    # There is no default route: without one for services the node itself reaches
    # none. It leads to a bridge that nothing is joined to. (By the pods' bridge the
    # refusal of a service without endpoints does not come back to a pod, which waits.)
    "${inside[@]}" link show services >/dev/null 2>&1 || "${inside[@]}" link add services type bridge
    "${inside[@]}" link set services up
    "${inside[@]}" route replace "$SERVICE_CIDR" dev services src "$NODE_IP"
    in_namespace sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    # Answers between pods on one bridge must pass iptables too: services are addresses that it rewrites.
    in_namespace sh -c '! [ -e /proc/sys/net/bridge ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables'
}

# host_settings: the few of the host itself. Raised, never lowered.
host_settings() {
    local instances=/proc/sys/fs/inotify/max_user_instances module
    (($(<"$instances") >= 1024)) || printf '1024\n' >"$instances"
    for module in overlay br_netfilter; do
        modprobe -q "$module" 2>/dev/null || true
    done
}

remove_network() {
    ip link show "$HOST_LINK" >/dev/null 2>&1 && ip link delete "$HOST_LINK"
    [[ -e "/run/netns/$NETNS" ]] && ip netns delete "$NETNS"
    # The first namespace makes the folder, and a mount of it; the next would again.
    if [[ -d /run/netns && -z "$(ls -A /run/netns)" ]]; then
        umount /run/netns 2>/dev/null || true
        rmdir /run/netns 2>/dev/null || true
    fi
    return 0
}

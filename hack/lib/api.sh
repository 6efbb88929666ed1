# shellcheck shell=bash
# etcd and kube-apiserver: all that `--api-only` starts, and what the rest of a
# cluster stands on.

start_etcd() {
    local flags=(
        --name provost --data-dir "$STATE/etcd" --log-level warn
        --listen-client-urls "http://127.0.0.1:$ETCD_PORT"
        --advertise-client-urls "http://127.0.0.1:$ETCD_PORT"
        --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT"
        --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT"
        --initial-cluster "provost=http://127.0.0.1:$ETCD_PEER_PORT"
    )
    # A cluster for tests of the API alone has nothing worth a disk's wait.
    [[ -n "$NETNS" ]] || flags+=(--unsafe-no-fsync)
    mkdir -p "$STATE/etcd"
    chmod 0700 "$STATE/etcd"
    start_process etcd "$PROVOST_BIN/etcd" "${flags[@]}"
    ready_or_ended etcd 30 etcd_healthy
}

etcd_healthy() { in_namespace curl -fsS -m 2 "http://127.0.0.1:$ETCD_PORT/health"; }

# in_namespace COMMAND...: in the cluster's network namespace, if it has one.
in_namespace() {
    if [[ -n "$NETNS" ]]; then nsenter "--net=/run/netns/$NETNS" "$@"; else "$@"; fi
}

start_apiserver() {
    local pki="$STATE/pki"
    local flags=(
        --etcd-servers "http://127.0.0.1:$ETCD_PORT"
        --secure-port "$API_PORT" --advertise-address "$NODE_IP"
        --service-cluster-ip-range "$SERVICE_CIDR"
        --client-ca-file "$pki/ca.crt"
        --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key"
        --requestheader-client-ca-file "$pki/front-proxy-ca.crt"
        --requestheader-allowed-names front-proxy
        --requestheader-username-headers X-Remote-User
        --requestheader-group-headers X-Remote-Group
        --requestheader-extra-headers-prefix X-Remote-Extra-
        --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key"
        --service-account-issuer https://kubernetes.default.svc.cluster.local
        --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key"
        --authorization-mode "Node,RBAC"
        --enable-admission-plugins NodeRestriction
        --allow-privileged
        --profiling=false
    )
    if [[ -n "$NETNS" ]]; then
        flags+=(
            --bind-address 0.0.0.0
            --kubelet-certificate-authority "$pki/ca.crt"
            --kubelet-client-certificate "$pki/kubelet-client.crt"
            --kubelet-client-key "$pki/kubelet-client.key"
            # A node's name would be looked up in the host's DNS.
            --kubelet-preferred-address-types InternalIP
        )
    else
        # No controllers: nothing makes a namespace's service account, which pods
        # would be refused for want of, and no Service leads to this server.
        flags+=(--bind-address 127.0.0.1 --endpoint-reconciler-type none --disable-admission-plugins ServiceAccount)
    fi
    write_kubeconfig "$KUBECONFIG_FILE" admin "$SERVER"
    start_process kube-apiserver "$PROVOST_BIN/kube-apiserver" "${flags[@]}"
    ready_or_ended kube-apiserver 90 api_ready
}

api_ready() { cluster_kubectl get --raw /readyz --request-timeout 2s >/dev/null 2>&1; }

# stop_api: the API server first: without its etcd it never ends.
stop_api() {
    stop_process kube-apiserver 15
    stop_process etcd 5
}

# shellcheck shell=bash
# CoreDNS, an ordinary Deployment behind the service address that the kubelet
# tells every pod.

start_dns() {
    make_coredns_image
    load_image "$COREDNS_IMAGE"
    sed -e "s|@IMAGE@|$COREDNS_IMAGE|" -e "s|@DNS_IP@|$DNS_IP|" "$PROVOST_ROOT/hack/kubernetes/addons.yaml" |
        cluster_kubectl apply --server-side --force-conflicts --field-manager provost-cluster -f - >/dev/null
    wait_for "CoreDNS answers" 90 dns_ready
}

# dns_ready: asked through its service address, so that kube-proxy's rules, the
# pod and its view of the API all have to be there.
dns_ready() { in_namespace curl -fsS -m 2 "http://$DNS_IP:8181/ready" >/dev/null 2>&1; }

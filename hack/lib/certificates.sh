# shellcheck shell=bash
# The cluster's own certificate authority, what it signs, and the kubeconfigs
# made of that. All lies in $STATE/pki, which only its owner can read.

# make_certificates: unless they are there already, for this address.
make_certificates() {
    local pki="$STATE/pki" set
    set="$NODE_IP $(content_hash "$PROVOST_ROOT/hack/lib/certificates.sh")"
    [[ "$(cat "$pki/made-for" 2>/dev/null)" == "$set" ]] && return 0
    # Made aside and moved: a script killed half-way leaves no half of a set.
    rm -rf "$pki" "$pki.new"
    mkdir -p "$pki.new"
    chmod 0700 "$pki.new"
    (
        cd "$pki.new" || exit
        umask 077
        elliptic_key ca
        self_sign ca
        # Tokens of service accounts are signed with RSA: every client library can verify it.
        openssl genrsa -out sa.key 2048 2>/dev/null
        openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
        sign apiserver "/CN=kube-apiserver" serverAuth \
            "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$SERVICE_IP,IP:$NODE_IP"
        sign admin "/O=system:masters/CN=provost-admin" clientAuth
        sign kubelet-client "/CN=provost-apiserver" clientAuth
        sign controller-manager "/CN=system:kube-controller-manager" clientAuth
        sign scheduler "/CN=system:kube-scheduler" clientAuth
        sign proxy "/CN=system:kube-proxy" clientAuth
        sign node "/O=system:nodes/CN=system:node:$NODE_NAME" clientAuth
        sign kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" serverAuth "DNS:$NODE_NAME,IP:$NODE_IP"
        # The API server in front of other API servers; their clients come through it.
        elliptic_key front-proxy-ca
        self_sign front-proxy-ca
        sign front-proxy "/CN=front-proxy" clientAuth '' front-proxy-ca
        printf '%s\n' "$set" >made-for
    )
    mv "$pki.new" "$pki"
}

elliptic_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null; }

# self_sign NAME: NAME.crt of an authority with that key.
self_sign() {
    openssl req -x509 -new -key "$1.key" -out "$1.crt" -days 3650 -subj "/CN=$CLUSTER_NAME-$1" \
        -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}

# sign NAME SUBJECT USAGE [ALTERNATIVE NAMES [AUTHORITY]]: NAME.key and NAME.crt.
sign() {
    local name="$1" subject="$2" usage="$3" names="${4:-}" authority="${5:-ca}"
    elliptic_key "$name"
    {
        printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$usage"
        [[ -z "$names" ]] || printf 'subjectAltName=%s\n' "$names"
    } >"$name.ext"
    openssl req -new -key "$name.key" -subj "$subject" 2>/dev/null |
        openssl x509 -req -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial -days 3650 -extfile "$name.ext" -out "$name.crt" 2>/dev/null
    rm -f "$name.ext"
}

# write_kubeconfig FILE CERTIFICATE SERVER: one that needs no other file.
write_kubeconfig() {
    local file="$1" name="$2" server="$3" pki="$STATE/pki"
    (
        umask 077
        cat >"$file.new" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: $CLUSTER_NAME
  cluster:
    server: $server
    certificate-authority-data: $(base64 -w0 <"$pki/ca.crt")
users:
- name: $name
  user:
    client-certificate-data: $(base64 -w0 <"$pki/$name.crt")
    client-key-data: $(base64 -w0 <"$pki/$name.key")
contexts:
- name: $CLUSTER_NAME
  context: {cluster: $CLUSTER_NAME, user: $name}
current-context: $CLUSTER_NAME
YAML
    )
    mv "$file.new" "$file"
}

# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are read in other files
# Builds the programs of the local cluster from the pinned Go modules in
# hack/kubernetes into $PROVOST_BIN. A program is built again only when what
# pins it has changed.

KUBERNETES_VERSION=1.36.3
API_PROGRAMS=(etcd kube-apiserver kubectl)
NODE_PROGRAMS=(kubelet kube-controller-manager kube-scheduler kube-proxy coredns)

# build_programs NAME...: those of them that are missing or out of date.
build_programs() {
    local name stale=()
    for name in "$@"; do
        program_current "$name" || stale+=("$name")
    done
    ((${#stale[@]} == 0)) && return 0
    go_present
    # One build at a time: a second caller waits and then finds them current.
    local lock
    exec {lock}>"$PROVOST_BIN/.lock"
    flock "$lock"
    for name in "${stale[@]}"; do
        program_current "$name" || step "building $name (minutes when nothing is cached)" build_program "$name"
    done
    exec {lock}>&-
}

# program_key NAME: changes whenever the program has to be built again.
program_key() {
    local dir="$PROVOST_ROOT/hack/kubernetes"
    if [[ "$1" == coredns ]]; then
        content_hash "$dir/coredns/go.mod" "$dir/coredns/go.sum" "$dir/coredns/main.go"
    else
        content_hash "$dir/go.mod" "$dir/go.sum"
    fi
}

program_current() {
    [[ -x "$PROVOST_BIN/$1" && "$(cat "$PROVOST_BIN/.$1.key" 2>/dev/null)" == "$(program_key "$1")" ]]
}

build_program() {
    local name="$1" package dir="$PROVOST_ROOT/hack/kubernetes" flags="-s -w"
    case "$name" in
        etcd) package=go.etcd.io/etcd/server/v3 ;;
        coredns) package=. dir="$dir/coredns" ;;
        *)
            package="k8s.io/kubernetes/cmd/$name"
            flags+=" -X k8s.io/component-base/version.gitVersion=v$KUBERNETES_VERSION"
            flags+=" -X k8s.io/component-base/version.gitMajor=1"
            flags+=" -X k8s.io/component-base/version.gitMinor=36"
            ;;
    esac
    # Built aside and moved: a running program's file cannot be written.
    (cd "$dir" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -mod=readonly -ldflags "$flags" \
        -o "$PROVOST_BIN/.$name.new" "$package")
    mv -f "$PROVOST_BIN/.$name.new" "$PROVOST_BIN/$name"
    program_key "$name" >"$PROVOST_BIN/.$name.key"
}

# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are read in other files
# Builds the programs of the local cluster from the pinned Go module in
# hack/kubernetes into $PROVOST_BIN. A program is built again only when what
# pins it has changed.

KUBERNETES_VERSION=1.36.3
API_PROGRAMS=(etcd kube-apiserver kubectl)
NODE_PROGRAMS=(kubelet kube-controller-manager kube-scheduler kube-proxy coredns)

# build_kubernetes NAME...: those of them that are missing or out of date, in one call: they share most packages, and
# while one links, others compile.
build_kubernetes() {
    local name stale=()
    for name in "$@"; do
        program_current "$name" || stale+=("$name")
    done
    ((${#stale[@]} == 0)) && return 0
    go_present
    # One build at a time: a second caller waits, and then the compiler has nothing to do.
    local lock
    exec {lock}>"$PROVOST_BIN/.lock"
    flock "$lock"
    step "building ${stale[*]} (minutes when nothing is cached)" compile_kubernetes "${stale[@]}"
    exec {lock}>&-
}

# program_key: changes whenever the programs have to be built again.
program_key() {
    local dir="$PROVOST_ROOT/hack/kubernetes"
    content_hash "$dir/go.mod" "$dir/go.sum" "$dir/coredns/main.go"
}

program_current() {
    [[ -x "$PROVOST_BIN/$1" && "$(cat "$PROVOST_BIN/.$1.key" 2>/dev/null)" == "$(program_key)" ]]
}

compile_kubernetes() {
    local name packages=() new="$PROVOST_BIN/.new" flags="-s -w"
    flags+=" -X k8s.io/component-base/version.gitVersion=v$KUBERNETES_VERSION"
    flags+=" -X k8s.io/component-base/version.gitMajor=1"
    flags+=" -X k8s.io/component-base/version.gitMinor=36"
    for name in "$@"; do
        case "$name" in
            etcd) packages+=(go.etcd.io/etcd/server/v3) ;;
            coredns) packages+=(./coredns) ;;
            *) packages+=("k8s.io/kubernetes/cmd/$name") ;;
        esac
    done
    mkdir -p "$new"
    # No debug information is computed: the linker drops it. The compiler collects its garbage seldom: a quarter faster.
    (cd "$PROVOST_ROOT/hack/kubernetes" && GOGC=400 CGO_ENABLED=0 go build -trimpath -buildvcs=false -mod=readonly \
        -gcflags=all=-dwarf=false -ldflags "$flags" -o "$new/" "${packages[@]}")
    # etcd's package is called by its folder.
    [[ ! -e "$new/server" ]] || mv -f "$new/server" "$new/etcd"
    # Built aside and moved: a running program's file cannot be written.
    for name in "$@"; do
        mv -f "$new/$name" "$PROVOST_BIN/$name"
        program_key >"$PROVOST_BIN/.$name.key"
    done
}

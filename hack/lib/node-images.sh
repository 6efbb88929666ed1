# shellcheck shell=bash
# The two images that the cluster itself needs: pause, which holds a pod's
# namespaces, and CoreDNS. Each is one static program.

make_pause_image() {
    local source="$PROVOST_ROOT/hack/kubernetes/pause.c"
    PAUSE_IMAGE="localhost/provost-pause:$(content_hash "$source")"
    [[ ! -e "$(image_file "$PAUSE_IMAGE")" ]] || return 0
    local tree
    tree="$(mktemp -d)"
    gcc -Os -static -s -o "$tree/pause" "$source"
    make_program_image "$PAUSE_IMAGE" "$tree" pause
    rm -rf "$tree"
}

make_coredns_image() {
    COREDNS_IMAGE="localhost/provost-coredns:$(program_key)"
    [[ ! -e "$(image_file "$COREDNS_IMAGE")" ]] || return 0
    local tree
    tree="$(mktemp -d)"
    cp "$PROVOST_BIN/coredns" "$tree/coredns"
    make_program_image "$COREDNS_IMAGE" "$tree" coredns
    rm -rf "$tree"
}

# make_program_image NAME DIRECTORY PROGRAM: of a directory with one static program.
make_program_image() {
    local layer="$PROVOST_IMAGES/.$3-layer.tar"
    chmod 0755 "$2" "$2/$3"
    make_layer "$2" "$layer"
    make_image "$1" "{\"Entrypoint\": [\"/$3\"], \"User\": \"65532:65532\"}" "$layer"
    rm -f "$layer"
}

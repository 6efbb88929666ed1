# shellcheck shell=bash
# Container images without Docker or a registry: an image is put together from
# layers (plain tar files) as an OCI archive, the same bytes from the same
# inputs, and imported into the cluster's containerd.

PROVOST_IMAGES="$PROVOST_CACHE/images"

# make_layer DIRECTORY FILE: a layer of all below the directory. Times and
# owners do not count: the same files give the same layer.
make_layer() {
    mkdir -p "$(dirname "$2")"
    tar --create --file "$2.new" --directory "$1" --format=gnu --sort=name --mtime=@0 \
        --owner=0 --group=0 --numeric-owner . || return
    mv "$2.new" "$2"
}

# image_file NAME: where the archive of an image lies.
image_file() {
    local name="${1#localhost/}"
    printf '%s/%s.tar' "$PROVOST_IMAGES" "${name//[:\/]/_}"
}

# make_image NAME CONFIG LAYER...: NAME is repository and tag, CONFIG the JSON
# of the image's `config` (Entrypoint, Env, User ...). Does nothing when the
# archive is there: a tag stands for what is in it. It has Docker's index beside
# that of OCI.
make_image() {
    local name="$1" config="$2" file work layer descriptor layers='[]'
    shift 2
    file="$(image_file "$name")"
    mkdir -p "$PROVOST_IMAGES"
    if [[ -e "$file" ]]; then
        # The newest is the one used last: see forget_images.
        touch "$file"
        return 0
    fi
    work="$(mktemp -d "$PROVOST_IMAGES/.make.XXXXXX")"
    mkdir -p "$work/blobs/sha256"

    for layer in "$@"; do
        descriptor="$(add_blob "$work" "$layer" application/vnd.oci.image.layer.v1.tar)"
        layers="$(jq -c --argjson layer "$descriptor" '. + [$layer]' <<<"$layers")"
    done
    # The layers are not compressed: their digests are those of their contents.
    jq -nc --argjson config "$config" --argjson layers "$layers" \
        '{architecture: "amd64", os: "linux", config: $config,
          rootfs: {type: "layers", diff_ids: [$layers[].digest]}}' >"$work/config"
    config="$(add_blob "$work" "$work/config" application/vnd.oci.image.config.v1+json)"
    jq -nc --argjson config "$config" --argjson layers "$layers" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
          config: $config, layers: $layers}' >"$work/manifest"
    descriptor="$(add_blob "$work" "$work/manifest" application/vnd.oci.image.manifest.v1+json)"
    jq -nc --arg name "$name" --argjson manifest "$descriptor" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: [$manifest + {annotations: {"io.containerd.image.name": $name}}]}' >"$work/index.json"
    # Docker's index of the same blobs.
    jq -nc --arg name "$name" --argjson config "$config" --argjson layers "$layers" \
        'def path: "blobs/" + (.digest | sub(":"; "/"));
         [{Config: ($config | path), RepoTags: [$name], Layers: [$layers[] | path]}]' >"$work/manifest.json"
    printf '{"imageLayoutVersion":"1.0.0"}\n' >"$work/oci-layout"

    tar --create --file "$file.new" --directory "$work" --format=gnu --sort=name --mtime=@0 \
        --owner=0 --group=0 --numeric-owner oci-layout index.json manifest.json blobs || return
    mv "$file.new" "$file"
    rm -rf "$work"
}

# add_blob DIRECTORY FILE MEDIATYPE: puts the file under its digest; prints its descriptor.
add_blob() {
    local digest
    digest="$(sha256sum "$2" | cut -d' ' -f1)"
    # A link saves the copy where both are on one file system.
    ln -f "$2" "$1/blobs/sha256/$digest" 2>/dev/null || cp "$2" "$1/blobs/sha256/$digest"
    jq -nc --arg digest "sha256:$digest" --arg type "$3" --argjson size "$(stat -c %s "$2")" \
        '{mediaType: $type, digest: $digest, size: $size}'
}

# image_loaded NAME: whether the cluster's containerd has it.
image_loaded() { contains_line "$1" "$(images_ctr images ls -q 2>/dev/null)"; }

# load_image NAME: from its archive into the cluster, unless it is there.
load_image() {
    if [[ "$(cluster_provider)" == kind ]]; then
        load_image_into_kind "$1"
    elif ! image_loaded "$1"; then
        images_ctr images import "$(image_file "$1")" >/dev/null
        image_loaded "$1" || die "containerd did not take $1"
    fi
}

# forget_images REPOSITORY KEEP: removes archives and loaded images of the
# repository but the newest ones: each build of a day is one more.
forget_images() {
    local repository="$1" keep="$2" file name files
    files="$(image_file "$repository:")"
    files="${files%.tar}"
    while read -r file; do
        name="$repository:$(basename "${file#"$files"}" .tar)"
        [[ ! -S "$(containerd_socket)" ]] || images_ctr images rm "$name" >/dev/null 2>&1 || true
        rm -f "$file"
    done < <(find "$PROVOST_IMAGES" -maxdepth 1 -name "$(basename "$files")*.tar" -printf '%T@ %p\n' |
        sort -rn | tail -n +$((keep + 1)) | cut -d' ' -f2-)
}

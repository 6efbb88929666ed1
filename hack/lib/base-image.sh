# shellcheck shell=bash
# What every Provost image stands on: the C library and the certificates of
# Debian, unpacked from its packages, and an unprivileged user. Made once for
# each set of package versions.

BASE_PACKAGES=(libc6 libgcc-s1 ca-certificates)

# base_tools_present: whatever is installed otherwise, images are made on Debian, or
# on a system that is made from it.
base_tools_present() {
    local lacks
    lacks="$(lacks_program apt-get apt-cache dpkg-deb)"
    [[ -z "$lacks" ]] ||
        die "no images can be made here: the C library in them is unpacked from this machine's Debian packages, and $lacks is not on the PATH"
}

# make_base_layer: sets BASE_LAYER to its file.
make_base_layer() {
    base_tools_present
    local versions
    versions="$(base_versions)" || {
        apt update >"$PROVOST_CACHE/apt.log" 2>&1 || die "apt-get update failed: see $PROVOST_CACHE/apt.log"
        versions="$(base_versions)" || die "apt has no candidate for one of: ${BASE_PACKAGES[*]}"
    }
    # The way it is put together counts as well.
    versions+="$(content_hash "$PROVOST_ROOT/hack/lib/base-image.sh")"
    BASE_LAYER="$PROVOST_IMAGES/base-$(sha256sum <<<"$versions" | cut -c1-12).tar"
    [[ -e "$BASE_LAYER" ]] || step "making the base of the images" unpack_base
}

# base_versions: one line for each package, with the version apt would fetch.
base_versions() {
    local package version
    for package in "${BASE_PACKAGES[@]}"; do
        version="$(LC_ALL=C apt-cache policy "$package" | awk '$1 == "Candidate:" {print $2}')"
        [[ -n "$version" && "$version" != '(none)' ]] || return 1
        printf '%s=%s\n' "$package" "$version"
    done
}

# unpack_packages DIRECTORY SPECIFICATION...: Debian packages, name or name=version.
unpack_packages() {
    local directory="$1" packages specification package
    shift
    packages="$(mktemp -d)"
    for specification in "$@"; do
        (cd "$packages" && apt download "$specification") >>"$PROVOST_CACHE/apt.log" 2>&1 || {
            # The lists may be older than the archive.
            apt update >>"$PROVOST_CACHE/apt.log" 2>&1 || true
            (cd "$packages" && apt download "${specification%%=*}") >>"$PROVOST_CACHE/apt.log" 2>&1 ||
                die "apt-get could not download $specification: see $PROVOST_CACHE/apt.log"
        }
    done
    for package in "$packages"/*.deb; do
        dpkg-deb -x "$package" "$directory"
    done
    rm -rf "$packages"
}

unpack_base() {
    local work root versions
    work="$(mktemp -d)"
    root="$work/root"
    mkdir -p "$root"
    mapfile -t versions < <(base_versions)
    unpack_packages "$root" "${versions[@]}"

    # The bundle that TLS libraries read; a package script would make it.
    mkdir -p "$root/etc/ssl/certs"
    cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
    # Character sets, manuals and the certificates one by one are of no use here;
    # the packages' licences stay.
    rm -rf "$root"/usr/lib/*/gconv "$root"/usr/share/{ca-certificates,lintian,man,locale} "$root"/usr/sbin "$root"/etc/ca-certificates
    find "$root/usr/share/doc" -type f ! -name copyright -delete

    mkdir -p "$root/etc" "$root/tmp"
    chmod 1777 "$root/tmp"
    printf 'root:x:0:0:root:/:/sbin/nologin\nprovost:x:65532:65532:provost:/:/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nprovost:x:65532:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    rm -f "$PROVOST_IMAGES"/base-*.tar
    make_layer "$root" "$BASE_LAYER"
    rm -rf "$work"
}

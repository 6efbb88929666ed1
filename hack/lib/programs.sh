# shellcheck shell=bash
# Everything but the worker: built for any x86-64, into the workspace's target
# directory; without optimisation where PROVOST_DEV_BUILD is set (`hack/deploy --dev`).

# shellcheck source=sources.sh
source "$(dirname "${BASH_SOURCE[0]}")/sources.sh"

# build_programs [ARGUMENT...]: in one call of cargo, so that what they share is
# compiled once. Two calls choose different features of it.
build_programs() {
    cargo_present
    local profile=release
    [[ -z "${PROVOST_DEV_BUILD:-}" ]] || profile=dev
    in_sources env -u RUSTFLAGS cargo build --locked --quiet --profile "$profile" -p provost-operator -p kubectl-proof -p provost-launcher "$@"
}

# program NAME: where build_programs leaves it.
program() {
    local folder=release
    [[ -z "${PROVOST_DEV_BUILD:-}" ]] || folder=debug
    printf '%s/%s/%s' "$CARGO_TARGET_DIR" "$folder" "$1"
}

# shellcheck shell=bash
# Everything but the worker: built for any x86-64, into the workspace's target
# directory.

# shellcheck source=sources.sh
source "$(dirname "${BASH_SOURCE[0]}")/sources.sh"

# build_programs [ARGUMENT...]: in one call of cargo, so that what they share is
# compiled once. Two calls choose different features of it.
build_programs() {
    cargo_present
    in_sources env -u RUSTFLAGS cargo build --locked --quiet --release -p provost-operator -p kubectl-proof -p provost-launcher "$@"
}

# program NAME: where build_programs leaves it.
program() { printf '%s/release/%s' "$CARGO_TARGET_DIR" "$1"; }

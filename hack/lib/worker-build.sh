# shellcheck shell=bash
# How the worker is compiled. SP1 chooses its vector code at compile time: there
# is one build, in a target directory of its own, for each x86-64 level.

# shellcheck source=sources.sh
source "$(dirname "${BASH_SOURCE[0]}")/sources.sh"

# best_level: the highest level that this machine runs.
best_level() {
    if cpu_has avx512f avx512bw avx512cd avx512dq avx512vl && cpu_has_v3; then
        printf 'v4'
    elif cpu_has_v3; then
        printf 'v3'
    else
        printf 'v2'
    fi
}

cpu_has_v3() {
    # The kernel calls lzcnt `abm`.
    cpu_has avx2 bmi1 bmi2 fma f16c abm movbe
}

# cpu_has FLAG...: whether the CPU has all of them, as the kernel names them.
cpu_has() {
    local flag flags
    flags=" $(awk -F: '/^flags/ {print $2; exit}' /proc/cpuinfo) "
    for flag in "$@"; do
        [[ "$flags" == *" $flag "* ]] || return 1
    done
}

# worker_cargo LEVEL COMMAND ARGUMENT...: cargo for a build of the level. Whoever
# compiles the worker uses it: SP1 is compiled once.
worker_cargo() {
    local level="$1" command="$2"
    shift 2
    case "$level" in v2 | v3 | v4) ;; *) die "no such level: $level (there are v2, v3, v4)" ;; esac
    cargo_present
    compile "$level" build --release -p sp1-core-executor-runner-binary
    PROVOST_SP1_RUNNER="$(worker_binary "$level" sp1-core-executor-runner-binary)" compile "$level" "$command" "$@"
}

# compile LEVEL COMMAND ARGUMENT...
compile() {
    local level="$1" command="$2" tools cargo shim=''
    shift 2
    # The tool chain itself. What rustup puts in its place comes first in the PATH of all that it runs, and so before sp1-runner.
    tools="$(rustc --print sysroot)/bin"
    cargo="$tools/cargo"
    [[ -x "$cargo" ]] || cargo="$(command -v cargo)"
    [[ -z "${PROVOST_SP1_RUNNER:-}" ]] || shim="$PROVOST_SOURCES/hack/lib/sp1-runner:"
    # With a target named, the flags are not those of build scripts, which run here. Not by CARGO_BUILD_TARGET: build scripts inherit that.
    in_sources env RUSTFLAGS="-C target-cpu=x86-64-$level" CARGO_TARGET_DIR="$PROVOST_CACHE/target-worker/$level" PATH="$shim$tools:$PATH" \
        "$cargo" "$command" --locked --target x86_64-unknown-linux-gnu "$@"
}

# worker_binary LEVEL NAME: where the build leaves a program.
worker_binary() {
    printf '%s/target-worker/%s/x86_64-unknown-linux-gnu/release/%s' "$PROVOST_CACHE" "$1" "$2"
}

# build_worker LEVEL: `worker` and `provost-verify`.
build_worker() { worker_cargo "$1" build --release -p provost-worker; }

# gpu_worker_cargo LEVEL ARCHS COMMAND ARGUMENT...: cargo for a build that proves on
# GPUs of these compute capabilities (90, or 86,89,90). The caller sources cuda.sh.
gpu_worker_cargo() {
    local level="$1" archs="$2" variables
    shift 2
    fetch_cuda
    mapfile -t variables < <(cuda_environment)
    (export "${variables[@]}" CUDA_ARCHS="$archs" && worker_cargo "$level" "$@")
}

# gpu_worker_binary LEVEL: where build_gpu_worker leaves the program.
gpu_worker_binary() { printf '%s/target-worker/%s/gpu/worker' "$PROVOST_CACHE" "$1"; }

# build_gpu_worker LEVEL ARCHS: `worker` for GPUs.
build_gpu_worker() {
    local level="$1" archs="$2"
    gpu_worker_cargo "$level" "$archs" build --release -p provost-worker --bin worker --features gpu
    # The next build for CPUs takes its place.
    install -D -m 0755 "$(worker_binary "$level" worker)" "$(gpu_worker_binary "$level")"
}

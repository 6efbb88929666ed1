# shellcheck shell=bash
# NVIDIA's compiler and runtime library, from PyPI: enough to compile and link
# the worker for GPUs on a machine that has none. The driver comes with the node.

CUDA_WHEELS=(
    nvidia-cuda-nvcc==13.0.88
    nvidia-nvvm==13.0.88
    nvidia-cuda-crt==13.0.88
    nvidia-cuda-runtime==13.0.96
    nvidia-cuda-cccl==13.0.85
    nvidia-nvtx==13.0.85
)
# Debian's does not know nvcc 13.
CMAKE_WHEEL=cmake==4.4.4

CUDA_DIR="$PROVOST_CACHE/cuda"
CUDA="$CUDA_DIR/toolkit/nvidia/cu13"
CUDA_CMAKE="$CUDA_DIR/cmake/cmake/data/bin/cmake"
# What the worker for GPUs is linked to besides the base of the images.
# shellcheck disable=SC2034 # read by who sources this
CUDA_RUNTIME="$CUDA/lib/libcudart.so.13"

# fetch_cuda: does nothing when it is there.
fetch_cuda() {
    local key
    key="${CUDA_WHEELS[*]} $CMAKE_WHEEL"
    [[ "$(cat "$CUDA_DIR/.key" 2>/dev/null)" == "$key" ]] && return 0
    need_packages python3 python3-pip g++
    rm -rf "$CUDA_DIR"
    mkdir -p "$CUDA_DIR"
    # In one call: another into the same folder would take out what the first put in.
    wheels "$CUDA_DIR/toolkit" "${CUDA_WHEELS[@]}"
    wheels "$CUDA_DIR/cmake" "$CMAKE_WHEEL"
    ln -s lib "$CUDA/lib64"
    ln -s libcudart.so.13 "$CUDA/lib/libcudart.so"
    printf '%s' "$key" >"$CUDA_DIR/.key"
}

# wheels FOLDER WHEEL...: those, and nothing that they name.
wheels() {
    local folder="$1"
    shift
    python3 -m pip --disable-pip-version-check install --quiet --no-deps --root-user-action ignore --target "$folder" "$@"
}

# cuda_environment: the variables for SP1's build scripts, one in a line. CUDA_ARCHS
# is the caller's: 80 86 89 90 100 120 are compute capabilities 8.0 to 12.0.
cuda_environment() {
    printf '%s\n' "CMAKE=$CUDA_CMAKE" "CUDA_PATH=$CUDA" "CUDA_HOME=$CUDA" "CUDACXX=$CUDA/bin/nvcc" "PATH=$CUDA/bin:$PATH"
}

# shellcheck shell=bash
# What every script under hack/ shares: where things are, how steps are told
# and timed, and how missing tools are obtained or named. Source it first.

# Without it `set -e` is off in what `$(...)` calls.
shopt -s inherit_errexit

PROVOST_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PROVOST_CACHE="${PROVOST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/provost}"
PROVOST_BIN="$PROVOST_CACHE/bin"
# What cargo builds outlives the clone, so that a fresh one compiles only what has changed: see sources.sh.
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PROVOST_CACHE/target}"
# kubectl would keep what it learns of an API below ~/.kube.
KUBECACHEDIR="$PROVOST_CACHE/kubectl-cache"
export PROVOST_ROOT PROVOST_CACHE PROVOST_BIN CARGO_TARGET_DIR KUBECACHEDIR
mkdir -p "$PROVOST_BIN"

# say TEXT...: one line for the reader, on standard error: standard output is
# kept for what a caller may want to read.
say() { printf '%s\n' "$*" >&2; }

# die TEXT...: says why and ends the script.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# now_ms: milliseconds of the wall clock.
now_ms() {
    local micros="${EPOCHREALTIME/[.,]/}"
    printf '%s' "$((micros / 1000))"
}

# seconds_since MS: seconds since a now_ms, with one decimal.
seconds_since() {
    local elapsed=$(($(now_ms) - $1))
    printf '%d.%d' "$((elapsed / 1000))" "$((elapsed % 1000 / 100))"
}

# step LABEL COMMAND...: says what starts, runs it in this shell and says how
# long it took. Of a step that fails, the first line is the last one said.
step() {
    local label="$1" started
    shift
    started="$(now_ms)"
    say "==> $label"
    # Not `"$@" || return`: within it, `set -e` would not hold.
    "$@"
    say "    done in $(seconds_since "$started") s"
}

# wait_quietly SECONDS COMMAND...: until the command succeeds; false when the
# time is over. It looks less often the longer it takes: each look by kubectl
# takes from what it waits for.
wait_quietly() {
    local limit="$1" started waited
    shift
    started="$(now_ms)"
    until "$@" >/dev/null 2>&1; do
        waited=$(($(now_ms) - started))
        ((waited < limit * 1000)) || return 1
        if ((waited < 2000)); then
            sleep 0.1
        elif ((waited < 10000)); then
            sleep 0.25
        else
            sleep 1
        fi
    done
}

# wait_for LABEL SECONDS COMMAND...: the same, and says so when time is over.
wait_for() {
    local label="$1" limit="$2"
    shift 2
    wait_quietly "$limit" "$@" || {
        say "error: $label: not within $limit s"
        return 1
    }
}

# on_debian_as_root: whether packages can be installed here.
on_debian_as_root() {
    [[ $EUID -eq 0 && -e /etc/debian_version ]] && command -v apt-get >/dev/null
}

# need_packages PACKAGE...: what the caller cannot do without, by Debian's names. On
# Debian as root what is missing is installed; elsewhere it is named.
need_packages() {
    local package lacks missing=() named=''
    for package in "$@"; do
        lacks="$(package_lacks "$package")"
        [[ -n "$lacks" ]] || continue
        missing+=("$package")
        named+="${named:+, }$lacks (Debian's $package)"
    done
    ((${#missing[@]} == 0)) && return 0
    on_debian_as_root || die "missing here: $named. Install them; as root on Debian this installs them itself."
    step "installing Debian packages: ${missing[*]}" install_packages "${missing[@]}"
}

install_packages() {
    local log="$PROVOST_CACHE/apt.log"
    # The lists may be absent or old: they are fetched when an install fails.
    if ! apt_install "$@" >"$log" 2>&1; then
        apt update >>"$log" 2>&1 || true
        apt_install "$@" >>"$log" 2>&1 ||
            die "apt-get could not install $*: see $log"
    fi
}

apt_install() {
    # A package that starts a daemon of its own must not: the cluster runs its own.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt -y --no-install-recommends install "$@"
}

# apt ARGUMENT...: apt-get, after whoever is at it in another script: it does not wait for its own locks.
apt() { flock "$PROVOST_BIN/.apt.lock" apt-get -q "$@"; }

# Where systems have the CNI plugins.
CNI_FOLDERS=(/usr/lib/cni /opt/cni/bin /usr/libexec/cni)

# package_lacks PACKAGE: what Provost uses of the package and does not find here;
# nothing if it is all there, wherever it came from.
package_lacks() {
    case "$1" in
        binutils) lacks_program readelf ld ;;
        containerd) lacks_program containerd ctr containerd-shim-runc-v2 ;;
        containernetworking-plugins) lacks_file "the CNI plugins" "${CNI_FOLDERS[@]/%//bridge}" ;;
        gcc-riscv64-unknown-elf) lacks_program riscv64-unknown-elf-gcc ;;
        iproute2) lacks_program ip ;;
        iptables) lacks_program iptables ip6tables ;;
        # It comes with the headers; the pause image's program is linked to it.
        libc6-dev) lacks_file libc.a /usr/lib/x86_64-linux-gnu/libc.a /usr/lib64/libc.a /usr/lib/libc.a ;;
        libprotobuf-dev) lacks_protos ;;
        protobuf-compiler) lacks_program "${PROTOC:-protoc}" ;;
        python3-pip) python3 -m pip --version >/dev/null 2>&1 || printf 'pip of python3' ;;
        util-linux) lacks_program nsenter setsid flock ;;
        xz-utils) lacks_program xz ;;
        *) lacks_program "$1" ;;
    esac
}

# lacks_program NAME...: the first that is not on the PATH.
lacks_program() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || {
            printf '%s' "$name"
            return
        }
    done
}

# lacks_file LABEL PATH...: the label, when there is none of the files.
lacks_file() {
    local label="$1" file
    shift
    for file in "$@"; do
        [[ ! -e "$file" ]] || return 0
    done
    printf '%s' "$label"
}

# lacks_protos: protoc's own messages, which it looks for beside its program as well.
lacks_protos() {
    local file=google/protobuf/empty.proto protoc
    protoc="$(readlink -f "$(command -v "${PROTOC:-protoc}")" 2>/dev/null)" || protoc=''
    lacks_file "$file" "/usr/include/$file" "${protoc%/*}/../include/$file" "${PROTOC_INCLUDE:-/usr/include}/$file"
}

# cargo_present, go_present: the two tool chains that Provost does not install.
cargo_present() {
    command -v cargo >/dev/null ||
        die "cargo is not on the PATH: install Rust 1.95 or newer"
}

go_present() {
    command -v go >/dev/null ||
        die "go is not on the PATH: install Go 1.26 or newer (it builds the local Kubernetes)"
}

# root_present: the local cluster makes namespaces, mounts and cgroups.
root_present() {
    [[ $EUID -eq 0 ]] || die "this needs root: it makes network namespaces, mounts and cgroups"
}

# contains_line LINE TEXT: whether the text has exactly that line. (`... | grep -q`
# ends before its input does, and with pipefail that can count as a failure.)
contains_line() { grep -Fxq -e "$1" <<<"$2"; }

# need_value OPTION [VALUE]: of an option that cannot stand without.
need_value() {
    [[ -n "${2:-}" ]] || die "$1 needs a value: see hack/${0##*/} --help"
}

# content_hash FILE...: the first 12 hex digits of the SHA-256 of what the
# files hold, in the order given; their names do not count.
content_hash() {
    cat -- "$@" | sha256sum | cut -c1-12
}

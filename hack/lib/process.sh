# shellcheck shell=bash
# Long-lived processes of the cluster: each has a pid file in $STATE/run and a
# log in $STATE/logs. A pid file holds the pid and the process's start time, so
# that a recycled pid is never taken for ours.

# start_process NAME COMMAND...: unless it already runs. With $NETNS set it
# runs inside that network namespace, mounts and cgroups being the host's
# (`ip netns exec` would mount /sys anew and lose the cgroups).
start_process() {
    local name="$1" pid
    shift
    process_alive "$name" && return 0
    mkdir -p "$STATE/run" "$STATE/logs"
    local enter=()
    [[ -n "${NETNS:-}" ]] && enter=(nsenter "--net=/run/netns/$NETNS")
    # A subshell in the background keeps its pid through setsid, nsenter and env:
    # each replaces the one before. The session of its own, closed descriptors and
    # a bare environment let it outlive the caller and owe nothing to it.
    # It writes its own pid file: a caller that is killed now leaves none unknown.
    rm -f "$STATE/run/$name.pid"
    (
        cd /
        pid="$BASHPID"
        printf '%s %s\n' "$pid" "$(process_start_time "$pid")" >"$STATE/run/.$name.new"
        mv "$STATE/run/.$name.new" "$STATE/run/$name.pid"
        close_descriptors
        exec setsid "${enter[@]}" env -i \
            PATH="$PROVOST_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
            HOME=/root LANG=C.UTF-8 "$@"
    ) </dev/null >>"$STATE/logs/$name.log" 2>&1 &
    disown "$!"
    wait_quietly 10 test -e "$STATE/run/$name.pid" || die "$name did not start: see $STATE/logs/$name.log"
}

# close_descriptors: all but the three standard ones, in this (sub)shell.
close_descriptors() {
    local path fd
    for path in "/proc/$BASHPID/fd/"*; do
        fd="${path##*/}"
        ((fd > 2 && fd != 255)) && eval "exec $fd>&-"
    done
    return 0
}

# process_start_time PID: field 22 of its stat, in clock ticks since boot; empty
# when there is no such process. The name in field 2 may hold spaces.
process_start_time() {
    local stat fields
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    read -ra fields <<<"${stat##*) }"
    # A zombie has ended: only its parent does not know yet.
    [[ "${fields[0]}" == Z ]] || printf '%s' "${fields[19]}"
}

# process_pid NAME: its pid when it runs; else nothing and false.
process_pid() {
    local pid='' started='' now
    { read -r pid started <"$STATE/run/$1.pid"; } 2>/dev/null || return 1
    [[ -n "$pid" && -n "$started" ]] || return 1
    now="$(process_start_time "$pid")"
    [[ "$now" == "$started" ]] || return 1
    printf '%s' "$pid"
}

process_alive() { process_pid "$1" >/dev/null; }

process_gone() { ! process_alive "$1"; }

# stop_process NAME [SECONDS]: asks it to end, and kills it when it has not
# ended after that time.
stop_process() {
    local name="$1" limit="${2:-5}" pid
    if pid="$(process_pid "$name")"; then
        kill -TERM "$pid" 2>/dev/null || true
        if ! wait_quietly "$limit" process_gone "$name"; then
            say "    $name did not end within $limit s: killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_quietly 5 process_gone "$name" || true
        fi
    fi
    rm -f "$STATE/run/$name.pid"
}

# ready_or_ended NAME SECONDS COMMAND...: waits for the command to succeed, and
# no longer than the process lives; shows the end of its log otherwise.
ready_or_ended() {
    local name="$1" limit="$2" started
    shift 2
    started="$(now_ms)"
    until "$@" >/dev/null 2>&1; do
        if process_gone "$name"; then
            say "error: $name ended; the last lines of $STATE/logs/$name.log:"
        elif (($(now_ms) - started > limit * 1000)); then
            say "error: $name is not ready within $limit s; the last lines of $STATE/logs/$name.log:"
        else
            sleep 0.1
            continue
        fi
        tail -n 15 "$STATE/logs/$name.log" >&2 || true
        return 1
    done
}

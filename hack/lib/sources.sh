# shellcheck shell=bash
# What cargo compiles: a copy of this checkout that outlives it. Cargo takes for changed what is newer than what it
# has built, and in a fresh clone every file is. In the copy a file is written only when its contents are others.

PROVOST_SOURCES="$PROVOST_CACHE/sources"

# in_sources COMMAND...: runs it in a copy of this checkout as it is now, one such command at a time.
in_sources() {
    local status=0 lock
    exec {lock}>"$PROVOST_CACHE/sources.lock"
    flock --nonblock "$lock" || {
        say "waiting for another script that compiles"
        flock "$lock"
    }
    copy_sources
    # What it leaves running must not hold the lock.
    (cd "$PROVOST_SOURCES" && "$@") {lock}>&- || status=$?
    exec {lock}>&-
    return "$status"
}

copy_sources() {
    # A script of the copy itself.
    [[ "$PROVOST_ROOT" != "$PROVOST_SOURCES" ]] || return 0
    need_packages rsync
    mkdir -p "$PROVOST_SOURCES"
    # No times: what is written is new.
    rsync --recursive --links --perms --checksum --delete --exclude=/.git --filter=':- .gitignore' "$PROVOST_ROOT/" "$PROVOST_SOURCES/"
}

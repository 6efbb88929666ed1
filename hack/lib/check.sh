# shellcheck shell=bash
# Counting checks in the tests below hack/tests.

CHECKS_PASSED=0
CHECKS_FAILED=0

# check LABEL COMMAND...: the command has to succeed.
check() {
    local label="$1" output
    shift
    if output="$("$@" 2>&1)"; then
        CHECKS_PASSED=$((CHECKS_PASSED + 1))
        say "  ok: $label"
    else
        CHECKS_FAILED=$((CHECKS_FAILED + 1))
        say "  FAILED: $label"
        say "${output//$'\n'/$'\n    '}"
    fi
}

# same WANTED COMMAND...: the command has to print that.
same() {
    local wanted="$1" got
    shift
    got="$("$@")" || say "exit code $?"
    [[ "$got" == "$wanted" ]] || {
        printf 'wanted: %s\n   got: %s\n' "$wanted" "$got"
        return 1
    }
}

# nothing COMMAND...: the command has to print nothing.
nothing() { same '' "$@"; }

# fails COMMAND...: the command has to fail.
fails() { ! "$@"; }

# checks_done: the closing line, and the exit code with it.
checks_done() {
    printf '%d passed, %d failed\n' "$CHECKS_PASSED" "$CHECKS_FAILED"
    ((CHECKS_FAILED == 0))
}

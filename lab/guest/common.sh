# shellcheck shell=sh
# Sourced first by every script that sets a node up.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8

fail() { printf '%s\n' "$*" >&2; exit 1; }

# until_true SECONDS COMMAND...: repeat quietly until it succeeds
until_true() {
    left=$1
    shift
    until "$@" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "gave up waiting for: $*"
        sleep 1
    done
}

#!/bin/sh
# healthy.sh [CHECK...]: what must be true of the node before its state is saved.
# pool=NAME, mount=FOLDER, writer=FOLDER
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

grows() {
    before=$(cat "$1/done")
    sleep 3
    [ "$(cat "$1/done")" != "$before" ]
}

for check in "$@"; do
    value=${check#*=}
    case $check in
        pool=*) until_true 60 zpool status -x "$value" ;;
        mount=*) until_true 60 mountpoint -q "$value" ;;
        writer=*)
            until_true 240 test -s "$value/done"
            until_true 60 grows "$value"
            ;;
        *) fail "unknown check: $check" ;;
    esac
done
sync

#!/bin/sh
# service.sh NAME NODE FOLDER: a writer as swarm service, bound to one node.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

docker service create --detach --quiet --no-resolve-image --name "$1" --network host \
    --constraint "node.hostname==$2" --stop-grace-period 2s --restart-delay 2s \
    --mount "type=bind,src=$3,dst=/data" lab/writer:1 "$1"

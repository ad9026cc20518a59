#!/bin/sh
# swarm-init.sh ADDRESS: the first manager of a swarm; its certificates outlast the saved world.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

docker swarm init --advertise-addr "$1" --cert-expiry 87600h > /dev/null
docker swarm join-token -q worker

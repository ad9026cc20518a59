#!/bin/sh
# One checksum over a whole tree: names, types, modes, owners, sizes, links and contents.
set -eu
cd "${1:?usage: tree-sum DIRECTORY}"
{
    find . -mindepth 1 -printf '%P|%y|%m|%U|%G|%l\n' | LC_ALL=C sort
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
} | sha256sum | cut -d' ' -f1

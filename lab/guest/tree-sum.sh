#!/bin/sh
# tree-sum FOLDER: one checksum over a whole tree: names, types, modes, owners, hard and symbolic
# links, times, xattrs and ACLs, and contents.
set -eu
export LC_ALL=C
cd "${1:?usage: tree-sum FOLDER}"
{
    find . -mindepth 1 ! -type d -printf '%P|%y|%m|%U|%G|%n|%s|%Ts|%l\n' | sort
    find . -mindepth 1 -type d -printf '%P|%y|%m|%U|%G|%Ts\n' | sort
    find . -mindepth 1 ! -type p -print0 | sort -z | xargs -0 -r getfattr -hd -m '^user|posix_acl'
    find . -type f -print0 | sort -z | xargs -0 -r sha256sum
} | sha256sum | cut -d' ' -f1

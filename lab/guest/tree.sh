#!/bin/sh
# tree.sh FOLDER COUNT: the kinds of files a backup has to bring through, and COUNT plain ones.
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"
folder=$1 count=$2

mkdir -p "$folder"
cd "$folder" || exit
number=0
while [ "$number" -lt "$count" ]; do
    part=plain/$((number % 7))/$((number % 3))
    [ -d "$part" ] || mkdir -p "$part"
    printf 'file %d of %s\n%0*d\n' "$number" "$folder" $((number * 37 % 4000 + 1)) 7 \
        > "$part/file-$number.txt"
    number=$((number + 1))
done
mkdir -p odd/empty
printf 'twice\n' > odd/hard-a
ln odd/hard-a odd/hard-b
ln -s hard-a odd/symlink
ln -s /nowhere/at/all odd/dangling
printf 'xattr\n' > odd/xattr
setfattr -n user.lab -v 'kept by a good backup' odd/xattr
printf 'acl\n' > odd/acl
setfacl -m u:www-data:r,g:adm:rw odd/acl || echo "no ACLs on $folder" >&2
truncate -s 16M odd/sparse
printf 'end of the sparse file\n' >> odd/sparse
printf 'nobody reads this but root\n' > odd/mode-000
chmod 000 odd/mode-000
printf 'na\303\257ve\n' > "$(printf 'odd/caf\303\251 \342\202\254.txt')"
printf 'spaces and signs\n' > "odd/a b'c\"d\$e;f"
printf 'set\n' > odd/setuid
chown www-data:www-data odd/setuid
chmod 4755 odd/setuid
mkfifo odd/fifo

"""What is carried to a machine: one tar archive, named by its digest, and the script that takes it.

The archive of the same files is the same bytes, so its digest says whether anything differs.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from hashlib import sha256

from zrep.capsule.render import InstallFile
from zrep.frozen import dataclass

# Run as root with the archive on stdin: complete and as it was sent, or nothing is installed.
RECEIVE = """set -eu
umask 077
digest={digest}
into=$(mktemp -d /run/zrep-deploy.XXXXXXXX)
trap 'rm -rf "$into"' EXIT
cat >"$into/bundle.tar"
echo "$digest  $into/bundle.tar" | sha256sum --check --quiet
mkdir "$into/$digest"
tar -C "$into/$digest" --no-same-owner -xf "$into/bundle.tar"
sh "$into/$digest/install-source" "$into/$digest"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An archive as install-source takes it: root/..., manifest and the installer itself."""

    archive: bytes
    files: int

    @property
    def digest(self) -> str:
        return sha256(self.archive).hexdigest()

    @property
    def script(self) -> str:
        return RECEIVE.format(digest=self.digest)


def make_bundle(files: Sequence[InstallFile], installer: str, *, user: str) -> Bundle:
    """`installer` is the text of install-source, `user` the operator that it creates."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in _members(files, installer, user):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o600
            tar.addfile(info, io.BytesIO(text.encode()))
    return Bundle(archive=buffer.getvalue(), files=len(files))


def _members(files: Sequence[InstallFile], installer: str, user: str) -> list[tuple[str, str]]:
    return [
        ("manifest", render_manifest(files, user=user)),
        ("install-source", installer),
        *((f"root{f.path}", f.text) for f in sorted(files, key=lambda f: f.path)),
    ]


def render_manifest(files: Sequence[InstallFile], *, user: str | None) -> str:
    """The line `user NAME`, if one is to be made, then one line `file MODE PATH` per file."""
    lines = [f"file 0{f.mode:o} {f.path}\n" for f in files]
    return "".join((f"user {user}\n" if user else "", *lines))

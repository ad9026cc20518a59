"""What a source's data tree was when its backup was published: counts, a digest, a few hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from zrep.frozen import dataclass

FORMAT = 1
# Of a larger file this much is hashed, somewhere in it.
WINDOW = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """`length` bytes from `offset` of the file `path`, which is relative to the source."""

    path: str
    size: int
    offset: int
    length: int
    sha256: str

    @property
    def whole(self) -> bool:
        return self.length == self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`folders` counts the top as well; `size` is of files and, as rsync counts, of links' targets.

    `digest` is over names, kinds, sizes, times, modes, owners and links' targets, in order. Where
    only files were sampled it is empty, and nothing was counted.
    """

    files: int = 0
    folders: int = 0
    links: int = 0
    others: int = 0
    size: int = 0
    digest: str = ""
    sample: tuple[Sampled, ...] = ()

    @property
    def counted(self) -> bool:
        return bool(self.digest)

    @property
    def entries(self) -> int:
        return self.files + self.folders + self.links + self.others


def rank(run: str, path: str) -> int:
    """A number of 64 bits that the two decide: no person chooses it, anybody can do it again."""
    text = f"{run}\0{path}".encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def window(ranked: int, size: int) -> tuple[int, int]:
    """Offset and length of what is hashed of a file: all of it, unless it is large."""
    if size <= WINDOW:
        return 0, size
    return ranked % (size - WINDOW + 1), WINDOW


def encode_contents(found: Mapping[str, Contents], *, run: str) -> str:
    """JSON, by source; names that are not UTF-8 survive."""
    sources = {name: asdict(contents) for name, contents in sorted(found.items())}
    return json.dumps({"format": FORMAT, "run": run, "sources": sources}, indent=1) + "\n"


def decode_contents(text: str) -> dict[str, Contents]:
    """ValueError for what encode_contents has not written."""
    try:
        words = json.loads(text)
        if words["format"] != FORMAT:
            raise ValueError(f"format {words['format']} is not {FORMAT}")
        return {str(name): _contents(found) for name, found in words["sources"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a record of contents: {error}") from error


def _contents(words: dict[str, Any]) -> Contents:
    sample = tuple(Sampled(**one) for one in words["sample"])
    return Contents(**{**words, "sample": sample})

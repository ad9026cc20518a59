"""What a source is called, and which names may be given at all.

Apart from the sources themselves: a gate and a list of backups need no more than this of them.
"""

from __future__ import annotations

import re

from zrep.frozen import dataclass

_WORD = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,62}")


def is_word(text: str) -> bool:
    """A name that may stand in a dataset, an rsync module, a property and a file name."""
    return bool(_WORD.fullmatch(text))


@dataclass(frozen=True, slots=True, order=True)
class SourceKey:
    """`manager-1/docker`: logical host and source name; also the child dataset's relative path."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def module(self) -> str:
        """The stem of the rsync module's name on the host."""
        return self.name

"""How a drill is carried out, and how old the last one may be."""

from __future__ import annotations

from zrep.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilling:
    """`key` signs the evidence, empty for none; of each source `sample` files are hashed.

    `count_all`: before each publish the metadata of everything is read and noted too.

    `max_age` in seconds: a passed drill that is older warns, one of twice that age is critical.
    """

    key: str = ""
    sample: int = 20
    count_all: bool = False
    max_age: int = 35 * 86_400

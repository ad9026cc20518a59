"""`dataclass` for frozen classes, made in a fraction of the time.

The standard library compiles six methods anew for each frozen class. Some hundred classes are a
fifth of the start of every command. Here only `__init__` is compiled, once there is an instance,
and what can be the same for all classes is shared; fields, slots and `replace` are the standard
library's own. Classes behave alike, and type checkers see the standard decorator. What is not
frozen is left to it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from operator import attrgetter, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, order: bool = False, **options: bool) -> Any:
        """As dataclasses.dataclass; always called, never the bare name."""
        if not frozen:
            return dataclasses.dataclass(order=order, **options)
        return lambda cls: _frozen(cls, options, ordered=order)


def _frozen(cls: Any, options: dict[str, bool], *, ordered: bool) -> Any:
    made = dataclasses.dataclass(cls, init=False, repr=False, eq=False, **options)
    own = cls.__dict__
    every = fields(made)
    compared = [f for f in every if f.compare]
    made.__init__ = _later(made, every)
    made.__setattr__, made.__delattr__ = _refuse_set, _refuse_delete
    made.__getstate__, made.__setstate__ = _get_state, _set_state
    if "__repr__" not in own:
        made.__repr__ = _repr
    if "__eq__" not in own:
        made.__eq__ = _eq(_values(f.name for f in compared))
        made.__hash__ = _hash(_values(f.name for f in compared if f.hash is not False))
    if ordered:
        values = _values(f.name for f in compared)
        for name, compare in (("lt", lt), ("le", le), ("gt", gt), ("ge", ge)):
            setattr(made, f"__{name}__", _ordered(compare, values))
    return made


def _later(cls: Any, every: Sequence[Field[Any]]) -> Any:
    """Most classes that a command loads have no instance in it: the first one has it compiled."""

    def __init__(self: object, *args: object, **words: object) -> None:  # noqa: N807
        cls.__init__ = _init(cls, every)
        cls.__init__(self, *args, **words)

    return __init__


def _init(cls: Any, every: Sequence[Field[Any]]) -> Any:
    """Compiled, because this one must take the class's own words, and is called most."""
    by_place = [f for f in every if not f.kw_only]
    by_name = [f for f in every if f.kw_only]
    words = [*map(_parameter, by_place), *(["*"] if by_name else []), *map(_parameter, by_name)]
    lines = [f"  _set(self, {f.name!r}, {_value(f)})" for f in every]
    if hasattr(cls, "__post_init__"):
        lines.append("  self.__post_init__()")
    text = f"def __init__(self, {', '.join(words)}):\n" + "\n".join(lines or ["  pass"])
    names = {f"_d_{f.name}": f.default for f in every if f.default is not MISSING}
    names |= {f"_f_{f.name}": f.default_factory for f in every if f.default_factory is not MISSING}
    names |= {"_set": object.__setattr__, "_unset": MISSING}
    outer = f"def _make({', '.join(names)}):\n " + text.replace("\n", "\n ") + "\n return __init__"
    made: dict[str, Any] = {}
    exec(outer, sys.modules[cls.__module__].__dict__, made)  # noqa: S102  # of field names alone
    init = made["_make"](**names)
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {f.name: f.type for f in every} | {"return": None}
    return init


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=_d_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=_unset"


def _value(field: Field[Any]) -> str:
    if field.default_factory is MISSING:
        return field.name
    return f"_f_{field.name}() if {field.name} is _unset else {field.name}"


def _values(names: Iterable[str]) -> Callable[[object], object]:
    known = tuple(names)
    return attrgetter(*known) if known else lambda _: ()


def _eq(values: Callable[[object], object]) -> Callable[[object, object], bool]:
    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    return __eq__


def _hash(values: Callable[[object], object]) -> Callable[[object], int]:
    def __hash__(self: object) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _ordered(
    compare: Callable[[Any, Any], bool], values: Callable[[object], object]
) -> Callable[[object, object], Any]:
    def ordered(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(values(self), values(other))

    return ordered


def _repr(self: Any) -> str:
    inner = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({inner})"


def _refuse_set(_: object, name: str, __: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[object]:
    return [getattr(self, f.name) for f in fields(self)]


def _set_state(self: Any, state: Sequence[object]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)

"""What zrep.frozen makes behaves as what dataclasses makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any

import pytest

from zrep import frozen

OPTIONS = {"frozen": True, "slots": True}


class _Plain:
    """A text and more of it."""

    name: str
    parts: list[int] = field(default_factory=list, hash=False)
    note: str = field(default="none", repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("not a name")


class _Own:
    """Says for itself how it looks and what it equals."""

    size: int = 1

    def __repr__(self) -> str:
        return "own"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7


class _Empty:
    """Nothing."""


def _both(words: type, **options: bool) -> tuple[Any, Any]:
    theirs: Callable[[type], Any] = dataclass(**OPTIONS, **options)
    ours: Callable[[type], Any] = vars(frozen)["dataclass"](**OPTIONS, **options)
    return theirs(_copy(words)), ours(_copy(words))


def _copy(words: type) -> type:
    skipped = {"__dict__", "__weakref__"}
    return type(words.__name__, (), {k: v for k, v in vars(words).items() if k not in skipped})


@pytest.mark.parametrize("kw_only", [False, True])
@pytest.mark.parametrize("words", [_Plain, _Own, _Empty])
def test_fields_and_call_are_the_same(words: type, kw_only: bool) -> None:
    theirs, ours = _both(words, kw_only=kw_only)
    assert [f.name for f in dataclasses.fields(ours)] == [
        f.name for f in dataclasses.fields(theirs)
    ]
    assert ours.__slots__ == theirs.__slots__
    assert ours.__match_args__ == theirs.__match_args__
    assert ours.__doc__ == theirs.__doc__
    for cls in (ours, theirs):
        cls(**({"name": "a"} if words is _Plain else {}))
    kinds = [
        [(p.name, p.kind, p.default is p.empty) for p in inspect.signature(c).parameters.values()]
        for c in (ours, theirs)
    ]
    assert kinds[0] == kinds[1]


def test_values_are_the_same() -> None:
    theirs, ours = _both(_Plain, kw_only=True)
    for cls in (theirs, ours):
        one, same = cls(name="a", parts=[1]), cls(name="a", parts=[1], note="other")
        assert one == same
        assert hash(one) == hash(same) == hash(cls(name="a", parts=[2]))
        assert one != cls(name="a", parts=[2])
        assert one != "a"
        assert cls(name="a").parts == []
        assert cls(name="a").parts is not cls(name="a").parts
    assert repr(ours(name="a")) == repr(theirs(name="a"))
    assert dataclasses.asdict(ours(name="a")) == dataclasses.asdict(theirs(name="a"))
    assert ours(name="a") != theirs(name="a")


def test_own_methods_stay() -> None:
    for cls in _both(_Own):
        assert (repr(cls()), cls() == 3, hash(cls())) == ("own", True, 7)


def test_nothing_can_be_changed() -> None:
    for cls in _both(_Plain):
        made = cls("a")
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
            made.name = "b"
        with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
            del made.name
        assert dataclasses.replace(made, name="b").name == "b"
        assert made.name == "a"


def test_wrong_calls_are_refused() -> None:
    for cls in _both(_Plain, kw_only=True):
        with pytest.raises(TypeError, match=r"_Plain\.__init__\(\) missing 1 required .*'name'"):
            cls()
        with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
            cls(name="a", other=1)
        with pytest.raises(ValueError, match="not a name"):
            cls(name="bad")


@frozen.dataclass(frozen=True, slots=True)
class Kept:
    """Can be found again by its name, as pickle needs it."""

    name: str
    parts: tuple[int, ...] = ()


def test_copies_are_equal() -> None:
    made = Kept("a", (1, 2))
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own
    assert copy.copy(made) == copy.deepcopy(made) == made
    match made:
        case Kept("a", parts):
            assert parts == (1, 2)
        case _:
            pytest.fail("does not match")


def test_order_is_the_same() -> None:
    for cls in _both(_Plain, kw_only=True, order=True):
        low, same, high = cls(name="a", parts=[1]), cls(name="a", parts=[1]), cls(name="b")
        assert (low < high, low <= same, high > low, high >= low) == (True, True, True, True)
        assert (high < low, high <= low, low > same, low >= high) == (False, False, False, False)
        with pytest.raises(TypeError, match="not supported"):
            _ = low < "a"


def test_what_may_change_is_left_to_the_standard_library() -> None:
    @frozen.dataclass(slots=True)
    class Counter:
        """A number."""

        place: int

    count = Counter(1)
    count.place = 2
    assert count == Counter(2)

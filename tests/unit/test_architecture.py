"""The import table is data, and it holds, lazy imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "zrep"

# layer -> layers of zrep it may import
ALLOWED: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "frozen": frozenset(),
    "model": frozenset({"errors", "frozen", "model"}),
    "planner": frozenset({"errors", "frozen", "model", "planner"}),
    "config": frozenset({"errors", "frozen", "model", "config"}),
    "host": frozenset({"errors", "frozen", "host"}),
    "zfs": frozenset({"errors", "frozen", "model", "planner", "host.port", "zfs"}),
    "source": frozenset({"errors", "frozen", "model", "host.port", "source"}),
    "capsule": frozenset({"errors", "frozen", "model", "host.port", "capsule"}),
    "engine": frozenset(
        {"errors", "frozen", "model", "planner", "host", "zfs", "source", "capsule", "engine"}
    ),
    "report": frozenset({"errors", "frozen", "model", "planner", "capsule", "engine", "report"}),
    "cli": frozenset(
        {"errors", "frozen", "model", "planner", "config", "capsule", "engine", "report", "cli"}
    ),
}

# No IO, no clock, no chance: everything under these is decided by its arguments.
PURE = ("errors", "frozen", "model", "planner", "report", "zfs.argv", "zfs.parse", "source.rsync")
IMPURE = frozenset(
    {"os", "subprocess", "socket", "time", "random", "secrets", "logging", "click", "paramiko"}
    | {"libzfs_core", "tomlkit", "pathlib", "shutil", "tempfile", "threading"}
)

# Heavy packages and the one place that imports each.
HEAVY = {
    "paramiko": "host.ssh_control",
    "libzfs_core": "zfs.lzc",
}


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def _imports(name: str) -> frozenset[str]:
    return frozenset(_imported(ast.parse(MODULES[name].read_text())))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All below it; half of the time of ast.walk is spent on what can hold no statement."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level


def _within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(layer + ".")


def _forbidden(name: str) -> Iterator[str]:
    allowed = ALLOWED.get(name.partition(".")[0], frozenset(ALLOWED))
    for imported in _imports(name):
        inner = imported.removeprefix("zrep.")
        relative = imported.startswith(".")
        if relative or (inner != imported and not any(_within(inner, a) for a in allowed)):
            yield f"{name} imports {imported}"


def test_a_module_imports_only_what_its_layer_may() -> None:
    assert [found for name in MODULES for found in _forbidden(name)] == []


def test_a_pure_module_has_no_way_to_do_io() -> None:
    pure = [name for name in MODULES if any(_within(name, p) for p in PURE)]
    doing = {n: {i.partition(".")[0] for i in _imports(n)} & IMPURE for n in pure}
    assert {name: found for name, found in doing.items() if found} == {}


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_package_is_imported_in_one_place(package: str) -> None:
    users = {n for n in MODULES if package in {i.partition(".")[0] for i in _imports(n)}}
    assert users <= {HEAVY[package]}


def test_every_module_is_in_the_table() -> None:
    layers = {name.partition(".")[0] for name in MODULES} - {"zrep", "__main__", "__init__", ""}
    assert layers <= set(ALLOWED)

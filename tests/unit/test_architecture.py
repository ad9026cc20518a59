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
    "model": frozenset({"errors", "model"}),
    "planner": frozenset({"errors", "model", "planner"}),
    "config": frozenset({"errors", "model", "config"}),
    "host": frozenset({"errors", "host"}),
    "zfs": frozenset({"errors", "model", "planner", "host.port", "zfs"}),
    "source": frozenset({"errors", "model", "host.port", "source"}),
    "capsule": frozenset({"errors", "model", "host.port", "capsule"}),
    "engine": frozenset(
        {"errors", "model", "planner", "host", "zfs", "source", "capsule", "engine"}
    ),
    "report": frozenset({"errors", "model", "planner", "capsule", "engine", "report"}),
    "cli": frozenset(
        {"errors", "model", "planner", "config", "capsule", "engine", "report", "cli"}
    ),
}

# No IO, no clock, no chance: everything under these is decided by its arguments.
PURE = ("errors", "model", "planner", "report", "zfs.argv", "zfs.parse", "source.rsync")
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


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level


def _within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(layer + ".")


@pytest.mark.parametrize("name", [m for m in MODULES if m.partition(".")[0] in ALLOWED])
def test_a_module_imports_only_what_its_layer_may(name: str) -> None:
    allowed = ALLOWED[name.partition(".")[0]]
    for imported in _imports(name):
        assert not imported.startswith("."), f"{name}: relative import"
        if not imported.startswith("zrep."):
            continue
        inner = imported.removeprefix("zrep.")
        assert any(_within(inner, layer) for layer in allowed), f"{name} imports {imported}"


@pytest.mark.parametrize("name", [m for m in MODULES if any(_within(m, p) for p in PURE)])
def test_a_pure_module_has_no_way_to_do_io(name: str) -> None:
    found = {i.partition(".")[0] for i in _imports(name)} & IMPURE
    assert not found, f"{name} imports {sorted(found)}"


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_package_is_imported_in_one_place(package: str) -> None:
    users = {n for n in MODULES if package in {i.partition(".")[0] for i in _imports(n)}}
    assert users <= {HEAVY[package]}


def test_every_module_is_in_the_table() -> None:
    layers = {name.partition(".")[0] for name in MODULES} - {"zrep", "__main__", "__init__", ""}
    assert layers <= set(ALLOWED)

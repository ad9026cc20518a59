"""What `zrep --version -v` reports: the libraries and programs zrep found to work with."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("click", "tomlkit", "paramiko", "humanize", "croniter")


def component_versions() -> Iterator[str]:
    """One `name version` line each; what is missing says so and what it is needed for."""
    yield f"python {platform.python_version()}"
    for name in LIBRARIES:
        yield f"{name} {_library(name)}"
    yield from _engines()


def _library(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _engines() -> Iterator[str]:
    from zrep.engine.versions import engine_versions

    yield from engine_versions()

"""Runs the commands about policies in this process, on files of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from zrep.cli.main import run

BUG_FOR_BUG = ("--compat", "bug-for-bug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def zrep(*args: str | Path) -> Said:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run([str(a) for a in args])
    return Said(status=status, out=out.getvalue(), err=err.getvalue())


def write_pool(
    folder: Path,
    datasets: Sequence[str],
    snapshots: Sequence[tuple[str, int]] = (),
    *,
    held: Sequence[str] = (),
    pool_cap: int = 40,
) -> Path:
    path = folder / "pool.json"
    drawn = {"datasets": datasets, "snapshots": snapshots, "held": held, "pool_cap": pool_cap}
    path.write_text(json.dumps(drawn))
    return path


def write_config(folder: Path, text: str, name: str = "sanoid.conf") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path

"""What the commands share: the configuration, output as text or JSON, common options."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from zrep.model.source import Config

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Print the plan and touch nothing."
)


def load_config(ctx: click.Context, file: Path | None = None) -> Config:
    """The configuration named on the command line."""
    from zrep.config import load

    path = file or Path(ctx.find_root().obj["config"])
    return load(path, policy_dirs=(path.parent / "policies", shipped("policies")))


def shipped(folder: str) -> Path:
    """Where a folder that ships with zrep lies: in the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / f"_{folder}"
    return inside if inside.is_dir() else package.parent / folder


def emit_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def operator() -> str:
    """Who asked: the login behind sudo when there is one, of root; else whose process this is."""
    import pwd

    uid = os.geteuid()
    name = os.environ.get("SUDO_USER") if uid == 0 else None
    try:
        return name or pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def on_terminal() -> bool:
    return sys.stderr.isatty()

"""The zrep command as a test sees it: run on a node over ssh, with its status and output."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

from lab.node import Node

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Zrep:
    """`Zrep(node)("list", "--json")`."""

    node: Node

    def __call__(self, *args: str, timeout: float = 600, status: int = 0) -> CompletedProcess[str]:
        """Run it; any other exit status than `status` fails the test with what it said."""
        done = self.node.run(shlex.join(("zrep", *args)), timeout=timeout, check=False)
        assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert TRACEBACK not in done.stderr
        return done

    def json(self, *args: str, timeout: float = 600, status: int = 0) -> Any:
        return json.loads(self(*args, "--json", timeout=timeout, status=status).stdout)

    def backups(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("list")
        return found


def tree_sum(node: Node, path: str) -> str:
    """One checksum over names, modes, owners, links and contents below `path`."""
    return node.run(f"tree-sum {shlex.quote(path)}", timeout=300).stdout.strip()

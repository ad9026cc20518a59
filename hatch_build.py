"""Makes the manual page when a wheel is built; an editable install needs none."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPage(BuildHookInterface):
    """Puts share/man/man1/zrep.1 into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self.folder = TemporaryDirectory(prefix="zrep-man-")
        page = Path(self.folder.name) / "zrep.1"
        page.write_text(self.render())
        build_data["shared_data"][str(page)] = "share/man/man1/zrep.1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if version != "editable":
            self.folder.cleanup()

    def render(self) -> str:
        sys.path.insert(0, self.root)
        from zrep.cli.man_page import zrep_man

        return zrep_man()

"""The recovery sheet: what travels with each backup so that it can be used without zrep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from zrep.frozen import dataclass
from zrep.model.backup import Backup, Manifest
from zrep.model.key import SourceKey
from zrep.model.names import BackupLabel, Guid
from zrep.model.source import Config, Source

if TYPE_CHECKING:
    from zrep.model.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that is written down. `written` in epoch seconds, `machine` is the one with the pool.

    `guids` of the backup's own snapshots are known only afterwards. `stored`: the sheet lies in a
    snapshot of the backup itself, beside the record of its contents.
    """

    config: Config
    label: BackupLabel
    manifest: Manifest
    machine: str
    written: int
    contents: Mapping[str, Contents] = field(default_factory=dict, hash=False)
    guids: Mapping[SourceKey, Guid] = field(default_factory=dict, hash=False)
    earlier: tuple[Backup, ...] = ()
    stored: bool = True

    @property
    def keys(self) -> tuple[SourceKey, ...]:
        """What the backup holds."""
        return tuple(sorted(r.key for r in self.manifest.sources if r.ok))

    def source(self, key: SourceKey) -> Source | None:
        """None when the configuration does not know it any more."""
        known = (s for x in self.config.sets.values() for s in x.sources)
        return next((s for s in known if s.key == key), None)

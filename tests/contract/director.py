"""A director that captures the hosts of DockerWorlds for one run, and may end itself on the way:

    python -m tests.contract.director RUN SIGNAL NOTE STATE_DIR NAME=PID=TMP...

SIGNAL is sent to itself right after line NOTE of the journal was written; 0 for never. On success
one line of JSON says how each host was paused.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.contract.capsule_world import WorldHost
from tests.contract.docker_world import DockerWorld
from zrep.cli.main import _terminate
from zrep.engine.journal import Journal
from zrep.engine.progress import Silent
from zrep.engine.site import Site
from zrep.engine.source_hosts import SourceHosts
from zrep.errors import Terminated
from zrep.host.port import Host
from zrep.model.housekeeping import Housekeeping
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Method, Quiesce, Source, Target
from zrep.report.pauses import pause_json


class WorldSite(Site):
    """A Site whose source hosts are DockerWorlds."""

    def __init__(self, config: Config, worlds: Mapping[str, DockerWorld]) -> None:
        super().__init__(config)
        self.worlds = worlds

    def source_host(self, name: str) -> Host:
        return WorldHost(self.worlds[name], name)


def platform(names: tuple[str, ...]) -> BackupSet:
    sources = (Source(key=SourceKey(n, "data"), method=Method.DIR, path="/data") for n in names)
    return BackupSet(
        name="platform", sources=tuple(sources), quiesce=Quiesce(docker=True, max_pause=30)
    )


def config(names: tuple[str, ...], folder: Path = Path("/nowhere")) -> Config:
    return Config(
        keeping=Housekeeping(state_dir=str(folder / "state"), run_dir=str(folder / "run")),
        target=Target(dataset=DatasetName("backup/current"), policy=Policy(name="p", keep={})),
        hosts={name: Address(host=name) for name in names},
        sets={"platform": platform(names)},
        replicas={},
        services={},
    )


class FatalJournal(Journal):
    """Ends this process with a signal after a given line."""

    signum = 0
    at = 0
    written = 0

    def note(self, event: str, **fields: object) -> None:
        super().note(event, **fields)
        self.written += 1
        if self.written == self.at:
            os.kill(os.getpid(), self.signum)


def main() -> None:
    run, signum, note, state_dir = sys.argv[1:5]
    worlds = {}
    for word in sys.argv[5:]:
        name, pid, tmp = word.split("=", 2)
        worlds[name] = DockerWorld(pid=int(pid), tmp=Path(tmp))
    signal.signal(signal.SIGTERM, _terminate)
    names = tuple(worlds)
    FatalJournal.signum, FatalJournal.at = int(signum), int(note)
    with FatalJournal(Path(state_dir), "sync", run) as journal:
        site = WorldSite(config(names), worlds)
        hosts = SourceHosts(site, platform(names), run, journal, Silent())
        hosts.probe()
        with hosts.captured(Silent()) as outcome:
            sys.stdout.write(json.dumps([pause_json(p) for p in outcome.pauses]) + "\n")
        lines = journal.written
    sys.stdout.write(f"{lines}\n")


if __name__ == "__main__":
    try:
        main()
    except Terminated as stop:
        sys.exit(128 + stop.signum)

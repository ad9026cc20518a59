"""The units of systemd/: each setting has a reason, what it starts exists, it mounts for all."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from zrep.cli.main import cli
from zrep.errors import Exit

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = sorted(FOLDER.iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
# Any of these gives a unit mounts of its own (systemd.exec(5)).
OWN_MOUNTS = (
    *("Private", "ProtectSystem", "ProtectHome", "ProtectKernel", "ProtectControlGroups"),
    *("ProtectProc", "ProcSubset", "ProtectHostname", "ReadOnlyPaths", "ReadWritePaths"),
    *("InaccessiblePaths", "NoExecPaths", "ExecPaths", "Bind", "TemporaryFileSystem", "Root"),
    *("MountFlags", "MountImages", "DynamicUser", "ExtensionImages"),
)


def settings(name: str) -> dict[str, str]:
    lines = (line for line in (FOLDER / name).read_text().splitlines() if line[:1].isalpha())
    return dict(line.split("=", 1) for line in lines)


def started(name: str) -> tuple[str, dict[str, object]]:
    """The verb that a service starts, and what its options come to."""
    program, verb, *args = shlex.split(settings(name)["ExecStart"])
    command = cli.get_command(click.Context(cli), verb)
    assert program == "zrep"
    assert command is not None
    return verb, command.make_context(verb, args).params


def test_every_service_has_its_timer() -> None:
    assert len(SERVICES) == 2
    assert {unit.name for unit in UNITS} == {
        name for s in SERVICES for name in (s.name, f"{s.stem}.timer")
    }


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_each_setting_stands_below_its_reason(unit: Path) -> None:
    above = ""
    for line in unit.read_text().splitlines():
        if line[:1].isalpha() and not line.startswith(("Description=", "WantedBy=")):
            assert above[:1] == "#" or above[:1].isalpha(), line
        above = line


@pytest.mark.parametrize("unit", SERVICES, ids=lambda u: u.name)
def test_a_service_has_no_mounts_of_its_own(unit: Path) -> None:
    """It would umount for itself alone; a container that it starts would find an empty folder."""
    assert not [key for key in settings(unit.name) if key.startswith(OWN_MOUNTS)]


def test_the_reaper_ends_what_has_expired_and_is_content_with_some() -> None:
    verb, options = started("zrep-reaper.service")
    assert (verb, options["expired"]) == ("umount", True)
    assert settings("zrep-reaper.service")["SuccessExitStatus"] == str(int(Exit.PARTIAL))


def test_a_drill_is_of_a_backup_by_lot_and_its_failure_is_the_units() -> None:
    verb, options = started("zrep-drill.service")
    assert (verb, options["chance"]) == ("drill", True)
    assert "SuccessExitStatus" not in settings("zrep-drill.service")

"""The `zrep` command: lazy subcommands, global options, and the one place where errors become
exit codes.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from zrep.errors import Exit, Terminated, ZrepError, exit_of

COMMANDS = {
    "sync": "Pull every source of a set and publish one backup.",
    "coverage": "Show what containers use and no source covers.",
    "recover": "Thaw and release what crashed runs left on the hosts.",
    "list": "List backups: id, classes, state, sizes.",
    "show": "Show the manifest of one backup.",
    "restore": "Bring a backup back to where it came from.",
    "mount": "Mount a backup as read-only clones.",
    "umount": "Take a session's clones away again.",
    "sessions": "List the mounted backups.",
    "find": "List the versions of a file over all backups.",
    "diff": "List what differs between two backups.",
    "cat": "Print a file as a backup has it.",
    "cp": "Copy a file or folder out of a backup.",
    "replicate": "Bring a replica forward.",
    "import-layout": "Adopt the history of the scripts before zrep.",
    "snapshot": "Take the snapshots of datasets that are due.",
    "prune": "Destroy what policies no longer keep.",
    "undelete": "Take back the marks of what waits for its end.",
    "explain": "Tell why a snapshot is there, and when it goes.",
    "simulate": "Show what dataset sections would take and destroy.",
    "drill": "Rehearse a restore: prove what is in a backup.",
    "status": "Show how the last runs ended.",
    "check": "Tell monitoring how runs, snapshots and pools are.",
    "config": "Check, convert and show the configuration.",
    "capsule": "Render, deploy and audit what other hosts and operators need.",
    "docker": "See and control docker on the source hosts.",
    "key": "Make, show and rotate the keys to other hosts.",
    "gate": "Answer a restricted key or an operator (used by sudoers).",
}
HIDDEN = frozenset({"gate"})


class LazyGroup(click.Group):
    """Imports a command's module when that command runs: `--help` and `--version` stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"zrep.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(n, COMMANDS[n]) for n in COMMANDS if n not in HIDDEN])


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from zrep import __version__

    click.echo(f"zrep {__version__}")
    if "-v" in sys.argv or "--verbose" in sys.argv:
        from zrep.cli.versions import component_versions

        for line in component_versions():
            click.echo(line)
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 bug, 2 usage, 3 config, 4 done in part, 5 refused, 6 conflict, "
    "7 unreachable, 8 busy, 9 zfs failed, 10 source failed, 128+n signal.",
)
@click.option(
    "-c",
    "--config",
    "config_path",
    default="/etc/zrep/zrep.toml",
    show_default=True,
    envvar="ZREP_CONFIG",
    help="Configuration file.",
)
@click.option("-v", "--verbose", count=True, help="Say more; twice logs every command.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version; with -v also what zrep found to work with.",
)
@click.pass_context
def cli(ctx: click.Context, config_path: str, verbose: int) -> None:
    """Back up a whole platform into ZFS, keep it, replicate it, bring it back.

    \b
    Examples:
      zrep sync                 pull all sources, publish one backup
      zrep list                 what backups there are
      zrep mount latest         browse the newest complete one
    """
    ctx.obj = {"config": config_path, "verbose": verbose}
    if verbose > 1:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")


def run(args: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status and has told the user about any error."""
    try:
        status = cli.main(args=args, prog_name="zrep", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        error.show()
        return Exit.USAGE
    except click.Abort:
        return 128 + signal.SIGINT
    except ZrepError as error:
        click.echo(f"zrep: [{error.id}] {error}", err=True)
        return exit_of(error)
    return status if isinstance(status, int) else Exit.DONE


def main() -> NoReturn:
    """Entry point of the `zrep` program."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _terminate)
    try:
        sys.exit(run())
    except KeyboardInterrupt as stop:
        click.echo("zrep: interrupted", err=True)
        sys.exit(exit_of(stop))
    except Terminated as stop:
        click.echo(f"zrep: ended by {stop}", err=True)
        sys.exit(exit_of(stop))
    except BrokenPipeError as stop:
        sys.exit(exit_of(stop))


def _terminate(signum: int, _frame: FrameType | None) -> None:
    raise Terminated(signum)

"""zrep drill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config, operator
from zrep.cli.completion import backup_ids, replica_option, services
from zrep.errors import DrillFailed, Exit, UsageError

if TYPE_CHECKING:
    from zrep.engine.drill import DrillWish
    from zrep.engine.site import Site

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("drill")
@click.argument("backup", metavar="[ID]", required=False, shell_complete=backup_ids)
@click.option("--random", "chance", is_flag=True, help="A complete backup drawn by lot.")
@click.option(
    "--service", shell_complete=services, help="Only this service: its source, its checks."
)
@click.option(
    "--sample", type=click.IntRange(0), metavar="N", help="Hash at most N files of each source."
)
@replica_option
@click.option("--list", "listing", is_flag=True, help="List the drills there were.")
@click.option("--verify", type=FILE, metavar="FILE", help="Prove the signature of evidence.")
@click.option("--key", type=FILE, metavar="FILE", help="With --verify: the public key.")
@dry_run_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    listing: bool,
    verify: Path | None,
    key: Path | None,
    dry_run: bool,
    as_json: bool,
    **wanted: Any,
) -> int:
    """Rehearse a restore: mount a backup, prove what is in it, and keep the evidence.

    Counts, names, times and owners of all files are compared with what was recorded when the backup
    was published, and files that were hashed then are hashed again. Each service of it that has
    `check` programs is shown to them as writable clones. ID is as for `zrep mount`; without one it
    is `latest`. Exit code 10 when a check fails; nothing stays mounted.

    \b
    Examples:
      zrep drill --random
      zrep drill latest --service wordpress
      zrep drill --from offsite --sample 5 --json
      zrep drill --list
      zrep drill --verify /var/lib/zrep/drills/20220906_090000.json
    """
    from zrep.engine.site import open_site

    if verify is not None:
        return _verify(ctx, verify, key, as_json=as_json)
    if key is not None:
        raise UsageError("--key goes with --verify")
    with open_site(load_config(ctx)) as site:
        if listing:
            return _list(site, as_json=as_json)
        wish = _wish(**wanted)
        return (
            _plan(site, wish, as_json=as_json) if dry_run else _drill(site, wish, as_json=as_json)
        )


def _wish(backup: str | None, **wanted: Any) -> DrillWish:
    from zrep.engine.drill import DrillWish

    return DrillWish(backup=backup or "", owner=operator(), **wanted)


def _plan(site: Site, wish: DrillWish, *, as_json: bool) -> int:
    from zrep.engine.drill import plan_drill
    from zrep.report.drill import plan_json, render_plan

    plan = plan_drill(site, wish)
    emit_json(plan_json(plan)) if as_json else click.echo(render_plan(plan))
    return Exit.DONE


def _drill(site: Site, wish: DrillWish, *, as_json: bool) -> int:
    from zrep.cli.progress import Lines
    from zrep.engine.drill import drill
    from zrep.model.evidence import State
    from zrep.report.drill import drill_json, render_drill, why_failed

    if not site.config.drilling.key:
        click.echo("warning: the evidence is not signed: there is no [drill] key", err=True)
    evidence = drill(site, wish, Lines.on_stderr())
    emit_json(drill_json(evidence)) if as_json else click.echo(render_drill(evidence))
    if evidence.state is not State.PASSED:
        raise DrillFailed(
            f"drill of backup {evidence.backup} failed",
            why=why_failed(evidence),
            next_step=f"look into it: zrep mount {evidence.backup}; and drill another one",
        )
    return Exit.DONE


def _list(site: Site, *, as_json: bool) -> int:
    from zrep.engine.drill import drills_of
    from zrep.report.drill import drills_json, render_drills

    drills = drills_of(site)
    emit_json(drills_json(drills)) if as_json else click.echo(render_drills(drills))
    return Exit.DONE


def _verify(ctx: click.Context, file: Path, key: Path | None, *, as_json: bool) -> int:
    from zrep.engine.drill_evidence import read, verify
    from zrep.report.drill import drill_json, render_drill

    said = verify(file, str(key) if key else _public_key(ctx))
    evidence = read(file)
    if as_json:
        emit_json({**drill_json(evidence), "signature": said})
    else:
        click.echo(f"{said}\n{render_drill(evidence)}")
    return Exit.DONE


def _public_key(ctx: click.Context) -> str:
    key = load_config(ctx).drilling.key
    if not key:
        raise UsageError(
            "which key?", why="there is no [drill] key", next_step="name it: --key FILE.pub"
        )
    return f"{key}.pub"

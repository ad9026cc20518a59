"""zrep restore."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config, operator
from zrep.cli.completion import backup_ids, deployments, replicas, services, sources
from zrep.errors import Exit, Refused, UsageError

if TYPE_CHECKING:
    from zrep.engine.restore import Summary
    from zrep.engine.restore_record import Record
    from zrep.engine.restore_request import Order, Planned
    from zrep.engine.site import Site
    from zrep.model.source import Config

MODES = ("mirror", "overwrite", "missing-only", "side-by-side")


@click.command("restore")
@click.argument("backup", metavar="[ID]", required=False, shell_complete=backup_ids)
@click.option(
    "--source",
    "wanted",
    multiple=True,
    metavar="HOST/SOURCE",
    shell_complete=sources,
    help="Only this source; may be given several times.",
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Only this file or folder, as HOST/SOURCE/PATH or as on the host; may be repeated.",
)
@click.option("--service", shell_complete=services, help="Only the data of this service.")
@click.option(
    "--to",
    metavar="DEPLOYMENT",
    shell_complete=deployments,
    help="Into that deployment, which must allow it.",
)
@click.option(
    "--from",
    "replica",
    metavar="REPLICA",
    shell_complete=replicas,
    help="Receive the backup from that replica first.",
)
@click.option("--mode", type=click.Choice(MODES), help="What happens to what is there.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--resume", is_flag=True, help="Go on with the restore ID, or the unfinished one.")
@click.option("--script", is_flag=True, help="Print the plan as a shell script without zrep.")
@click.option("--list", "listed", is_flag=True, help="List the restores there were.")
@click.option("--discard-safety", is_flag=True, help="Remove what the restore ID has kept.")
@dry_run_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, **options: object) -> int:
    """Bring a backup back to where it came from, or into another deployment.

    ID is as for `zrep mount`. Root must have armed each host first (zrep-arm there). What would
    change is shown and confirmed; then the services concerned are stopped, what is there is kept,
    the data is written, compared byte by byte, and the services start again. Without --source,
    --path and --service everything comes back, with docker stopped on all hosts.

    Modes: mirror (the usual one) deletes what the backup does not have, overwrite does not,
    missing-only changes no file that is there, side-by-side (the usual one for --path) puts
    the backup's beside it as PATH.restored-RESTORE.

    With --to the hosts of that deployment play the backup's, armed with zrep-arm --from; its scrub
    programs run before anything starts. With --from the backup comes from a replica, into
    `restored` of this pool, and goes on from there.

    \b
    Examples:
      zrep restore latest --service wordpress
      zrep restore 20260102_030405 --path /docker/etc/nginx
      zrep restore latest --dry-run
      zrep restore latest --to uat --source manager-1/docker
      zrep restore latest --from offsite
      zrep restore --resume
    """
    from zrep.engine.site import open_site

    chosen = _Options(**options)  # type: ignore[arg-type]
    deed = chosen.action()
    with open_site(chosen.seen(load_config(ctx))) as site:
        return deed(site)


class _Options:
    """What was said on the command line, and which of the command's deeds that is."""

    def __init__(
        self,
        *,
        backup: str | None,
        wanted: tuple[str, ...],
        paths: tuple[str, ...],
        service: str | None,
        to: str | None,
        replica: str | None,
        mode: str | None,
        yes: bool,
        resume: bool,
        script: bool,
        listed: bool,
        discard_safety: bool,
        dry_run: bool,
        as_json: bool,
    ) -> None:
        self.name = backup
        self.wanted, self.paths, self.service, self.mode = wanted, paths, service, mode
        self.to, self.replica = to, replica
        self.resuming, self.discarding = resume, discard_safety
        self.yes, self.dry_run, self.as_json = yes, dry_run, as_json
        self.deeds: dict[str, tuple[bool, Callable[[Site], int]]] = {
            "--resume": (resume, self.resume),
            "--script": (script, self.script),
            "--list": (listed, self.list),
            "--discard-safety": (discard_safety, self.discard),
        }

    def action(self) -> Callable[[Site], int]:
        """UsageError for what does not go together."""
        said = [name for name, (given, _) in self.deeds.items() if given]
        if len(said) > 1:
            raise UsageError(f"{' and '.join(said)} do not go together")
        if self.name is None and not {*said} & {"--resume", "--list"}:
            raise UsageError(
                "which backup?", next_step="zrep restore latest, or an id of zrep list"
            )
        parts = self.wanted or self.paths or self.service or self.mode
        picked = parts or self.to or self.replica
        if picked and {*said} & {"--resume", "--list", "--discard-safety"}:
            raise UsageError(f"{said[0]} knows what was restored", next_step="leave that out")
        return self.deeds[said[0]][1] if said else self.begin

    def seen(self, config: Config) -> Config:
        """As the deployment has it that is written to: no other one's address is in it."""
        from zrep.engine.restore_request import into, recorded

        if self.resuming or self.discarding:
            return recorded(config, self.name, unfinished=self.resuming)
        return into(config, self.to)

    def order(self) -> Order:
        from zrep.engine.restore_request import Order, new_run
        from zrep.model.restore import Mode

        return Order(
            run=new_run(),
            backup=self.name or "",
            sources=self.wanted,
            paths=self.paths,
            service=self.service,
            mode=Mode(self.mode) if self.mode else None,
            replica=self.replica,
        )

    def begin(self, site: Site) -> int:
        from dataclasses import replace

        from zrep.engine.restore_request import plan_order

        planned = plan_order(site, self.order())
        return self._restore(site, planned, replace(planned.record, owner=operator()))

    def resume(self, site: Site) -> int:
        from zrep.engine.restore_record import Records
        from zrep.engine.restore_request import order_of, plan_order

        record = Records(site.state_dir).unfinished(self.name)
        return self._restore(site, plan_order(site, order_of(record)), record)

    def script(self, site: Site) -> int:
        from zrep.engine.restore_request import plan_order
        from zrep.report.restore_script import render_script

        planned = plan_order(site, self.order())
        replica = site.replica(self.replica) if self.replica else None
        click.echo(render_script(planned.plan, planned.backup, site.config, replica), nl=False)
        return Exit.DONE

    def list(self, site: Site) -> int:
        from zrep.engine.restore_record import Records
        from zrep.report.restore import record_json, render_records

        found = Records(site.state_dir).all()
        if self.as_json:
            emit_json([record_json(record) for record in found])
        else:
            click.echo(render_records(found))
        return Exit.DONE

    def discard(self, site: Site) -> int:
        from zrep.engine.restore_run import discard_safety

        gone = discard_safety(site, self.name or "")
        if self.as_json:
            emit_json({"discarded": list(gone)})
        else:
            click.echo("\n".join(gone) or "nothing was kept any more")
        return Exit.DONE

    def _restore(self, site: Site, planned: Planned, record: Record) -> int:
        from zrep.cli.progress import Lines
        from zrep.engine.restore_run import restore
        from zrep.report.restore import render_plan, render_report, report_json

        if not self.as_json:
            click.echo(render_plan(planned.plan), err=not self.dry_run)
        if self.dry_run and self._tells_of_receiving(site, planned):
            return Exit.DONE
        agree = Consent(planned, site.config.deployment, self)
        report = restore(site, planned, record, Lines.on_stderr(), agree=agree)
        if report is None:
            return Exit.DONE if self.dry_run else Exit.REFUSED
        emit_json(report_json(report)) if self.as_json else click.echo(render_report(report))
        return Exit.DONE

    def _tells_of_receiving(self, site: Site, planned: Planned) -> bool:
        """A dry run receives nothing: without the data there is nothing to compare."""
        from zrep.engine.bring_back import returning
        from zrep.report.restore import plan_json, render_receive

        name = planned.order.replica
        way = returning(site, name, planned.backup, planned.plan.keys) if name else None
        if way is None or not way.plan():
            return False
        left = way.size()
        if self.as_json:
            emit_json({**plan_json(planned.plan), "receive": left})
        else:
            click.echo(render_receive(way.replica.name, left))
        return True


class Consent:
    """Shows what would change; asks for it by a word that names what is written to."""

    def __init__(self, planned: Planned, deployment: str, options: _Options) -> None:
        self.planned = planned
        self.word = deployment or planned.order.backup
        self.options = options

    def __call__(self, summary: Summary) -> bool:
        from zrep.report.restore import plan_json, render_summary

        if self.options.dry_run and self.options.as_json:
            emit_json(plan_json(self.planned.plan, summary))
        else:
            click.echo(render_summary(summary), err=not self.options.dry_run)
        for warning in summary.warnings:
            click.echo(f"warning: {warning}", err=True)
        return not self.options.dry_run and (self.options.yes or self._asked())

    def _asked(self) -> bool:
        if not sys.stdin.isatty():
            raise Refused(
                "nobody is there to ask",
                why="what would change is shown above",
                next_step="say --yes if that is what you want",
            )
        said: str = click.prompt(f"Type {self.word} to write this", err=True, default="")
        if said.strip() != self.word:
            click.echo("nothing was changed", err=True)
        return said.strip() == self.word

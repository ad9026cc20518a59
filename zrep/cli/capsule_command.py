"""zrep capsule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zrep.cli.common import dry_run_option, emit_json, json_option, load_config
from zrep.cli.completion import deployments
from zrep.errors import Exit, UnknownName, UsageError

if TYPE_CHECKING:
    from zrep.capsule.machines import Machine
    from zrep.engine.deploy import Keys
    from zrep.model.source import Config

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


deployment_option = click.option(
    "--deployment",
    metavar="NAME",
    shell_complete=deployments,
    help="Hosts of that deployment, instead of the one that is backed up.",
)


@click.group("capsule")
def command() -> None:
    """Render what other hosts and operators need, install it, and try what must be refused."""


@command.command("render")
@click.option("--host", help="The files of this source host (a logical name of the deployment).")
@click.option("--target", is_flag=True, help="The files of a remote target.")
@click.option("--replica", help="The files of the host that holds this replica.")
@click.option("--control-key", type=READABLE, help="Public half of the control key.", required=True)
@click.option("--read-key", type=READABLE, help="Public half of the read key.")
@click.option("--restore-key", type=READABLE, help="Public half of the restore key.")
@click.option("--from", "allowed_from", default="", help="Addresses the control key may come from.")
@deployment_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.pass_context
def render(
    ctx: click.Context,
    host: str | None,
    target: bool,
    replica: str | None,
    control_key: Path,
    read_key: Path | None,
    restore_key: Path | None,
    allowed_from: str,
    deployment: str | None,
    out: Path,
) -> None:
    """Write the programs, sudoers rules and authorized keys of one host into a folder.

    Carry the folder there and run its install-source as root; it checks everything before it
    changes anything, and a second run changes nothing.

    \b
    Examples:
      zrep capsule render --host manager-1 --control-key control.pub --read-key read.pub --out m1
      zrep capsule render --deployment uat --host manager-1 --control-key control.pub --out u1
      zrep capsule render --replica offsite --control-key control.pub --out offsite
    """
    from zrep.capsule.install import load_hooks, write_tree
    from zrep.capsule.render import PublicKey, Roles, render_host

    config = _seen(load_config(ctx), deployment)
    if deployment and target:
        raise UsageError("the target belongs to no deployment", next_step="leave out --deployment")
    try:
        roles = Roles(source=host, target=target, replica=replica)
        control = PublicKey(line=control_key.read_text().strip(), allowed_from=allowed_from)
        read = PublicKey(line=read_key.read_text().strip()) if read_key else None
        restore = PublicKey(line=restore_key.read_text().strip()) if restore_key else None
    except ValueError as error:
        raise UsageError(str(error), next_step="zrep capsule render --help") from error
    _check_name(config.hosts, host, what="host")
    _check_name(config.replicas, replica, what="replica")
    hooks = load_hooks()
    files = render_host(config, roles, hooks, control=control, read=read, restore=restore)
    write_tree(files, out, hooks, user=config.ssh.user)
    click.echo(f"wrote {len(files)} files; on the host, as root: {out}/install-source {out}")


@command.command("operators")
@click.argument("who", metavar="USER|%GROUP...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.pass_context
def operators(ctx: click.Context, who: tuple[str, ...], out: Path) -> None:
    """Write what lets people on this machine mount backups without being root, into a folder.

    A program that sudo starts for them alone and that refuses everything but looking at backups
    and mounting them, its policy, and sudoers rules of their own. Run its install-source as root;
    it checks everything before it changes anything. To change who may, do the same again.

    \b
    Examples:
      zrep capsule operators alice --out operators
      zrep capsule operators alice %backup --out operators
    """
    from zrep.capsule.install import load_hooks, write_tree
    from zrep.capsule.operators import parse_operators, render_operators

    config = load_config(ctx)
    if config.target.address is not None:
        raise UsageError(
            "the pool is on another machine, where nobody needs to be root for a mount",
            next_step="zrep mount",
        )
    try:
        named = parse_operators(who)
    except ValueError as error:
        raise UsageError(str(error), next_step="zrep capsule operators --help") from error
    hooks = load_hooks()
    files = render_operators(config, named, hooks)
    write_tree(files, out, hooks, user=None)
    click.echo(f"wrote {len(files)} files; as root: {out}/install-source {out}")


@command.command("deploy")
@click.argument("names", metavar="[HOST]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every machine of the configuration.")
@click.option("--login", help="The administrator's user there (default: as ssh is configured).")
@click.option("--identity", type=READABLE, help="The administrator's own private key.")
@click.option("--sudo", is_flag=True, help="The login becomes root by sudo, without a password.")
@click.option("--control-key", type=READABLE, help="Public half (default: ssh.control_key .pub).")
@click.option("--read-key", type=READABLE, help="Public half (default: ssh.read_key .pub).")
@click.option(
    "--restore-key",
    type=READABLE,
    help="Public half (default: ssh.restore_key .pub, if it is there).",
)
@click.option("--from", "allowed_from", default="", help="Addresses the control key may come from.")
@deployment_option
@dry_run_option
@json_option
@click.pass_context
def deploy(ctx: click.Context, /, **options: Any) -> int:
    """Install what `render` makes on other machines, and verify that it answers.

    HOST is a logical host, `target`, or the name of a replica. An administrator's own ssh login
    carries the files; every one is put in its place complete or not at all, the sudoers rules only
    if visudo accepts them, and a second run changes nothing. Exit code 4: some machines failed.

    \b
    Examples:
      zrep capsule deploy manager-1 --login root
      zrep capsule deploy --all --login admin --sudo --from 10.0.0.2
      zrep capsule deploy --all --deployment uat --login root
    """
    from zrep.cli.progress import Lines
    from zrep.engine.deploy import carry_by, plan_deploy, status_of
    from zrep.engine.deploy import deploy as apply
    from zrep.engine.site import open_site
    from zrep.report.capsules import deployed_json, plan_json, render_deployed, render_plan

    config = _seen(load_config(ctx), options["deployment"])
    machines = _machines(config, options["names"], everything=options["everything"])
    plan = plan_deploy(config, machines, _keys(config, options))
    if options["dry_run"]:
        emit_json(plan_json(plan)) if options["as_json"] else click.echo(render_plan(plan))
        return Exit.DONE
    identity = str(options["identity"].resolve()) if options["identity"] else None
    carry = carry_by(config, user=options["login"], key_file=identity, sudo=options["sudo"])
    with open_site(config) as site:
        done = apply(site, plan, carry, Lines.on_stderr())
    emit_json(deployed_json(done)) if options["as_json"] else click.echo(render_deployed(done))
    return status_of(done)


@command.command("audit")
@click.argument("names", metavar="[HOST]...", nargs=-1)
@json_option
@click.pass_context
def audit(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> int:
    """Try on HOST, or on all machines, what our keys must not be able to do.

    Other commands, arguments, shell characters, terminals, port forwarding and sftp with both keys,
    and reading although nothing is prepared. Exit code 5: something was allowed that must not be;
    4: something could not be tried. Best while no backup is running.

    \b
    Examples:
      zrep capsule audit
      zrep capsule audit manager-1 --json
    """
    from zrep.cli.progress import Lines
    from zrep.engine.audit import audit as try_all
    from zrep.engine.audit import status_of
    from zrep.engine.site import open_site
    from zrep.report.capsules import audit_json, render_audit

    config = load_config(ctx)
    machines = _machines(config, names, everything=not names)
    with open_site(config) as site:
        found = try_all(site, machines, Lines.on_stderr())
    emit_json(audit_json(found)) if as_json else click.echo(render_audit(found))
    return status_of(found)


def _machines(config: Config, names: tuple[str, ...], *, everything: bool) -> tuple[Machine, ...]:
    from zrep.capsule.machines import find_machines, pick_machines

    if bool(names) == everything:
        raise UsageError("name hosts, or say --all", next_step="zrep capsule deploy --help")
    found = find_machines(config)
    if config.origin:  # what the others get does not depend on it
        found = tuple(machine for machine in found if machine.roles.source)
    return pick_machines(found, names)


def _seen(config: Config, deployment: str | None) -> Config:
    """With the hosts of that deployment; UnknownName."""
    from zrep.planner.elsewhere import seen_from

    return seen_from(config, deployment) if deployment else config


def _keys(config: Config, options: Mapping[str, Any]) -> Keys:
    from zrep.capsule.render import PublicKey
    from zrep.engine.deploy import Keys

    control = options["control_key"] or Path(f"{config.ssh.control_key}.pub")
    read = options["read_key"] or Path(f"{config.ssh.read_key}.pub")
    restore = options["restore_key"] or Path(f"{config.ssh.restore_key}.pub")
    try:
        wanted = bool(options["restore_key"]) or restore.exists()
        return Keys(
            control=PublicKey(
                line=control.read_text().strip(), allowed_from=options["allowed_from"]
            ),
            read=PublicKey(line=read.read_text().strip()),
            restore=PublicKey(line=restore.read_text().strip()) if wanted else None,
        )
    except OSError as error:
        raise UsageError(
            f"{error.filename}: {error.strerror}",
            next_step="zrep key create, or name the public halves with --control-key, --read-key",
        ) from error
    except ValueError as error:
        raise UsageError(str(error), next_step="zrep key show") from error


def _check_name(known: Collection[str], name: str | None, *, what: str) -> None:
    if name is not None and name not in known:
        names = ", ".join(sorted(known)) or "none is configured"
        raise UnknownName(f"no {what} {name!r}", why=f"configured: {names}")

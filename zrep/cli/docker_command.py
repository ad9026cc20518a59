"""zrep docker."""

from __future__ import annotations

import click

from zrep.cli.common import emit_json, json_option, load_config

# verb -> what its help says; each is a function of zrep.engine.docker
VERBS = {
    "status": "Show what runs, what is paused, and whether zrep has paused it.",
    "pause": "Pause containers as a backup does: the host lets go by itself when its timer ends.",
    "unpause": "Let go of everything that zrep has paused, also for a backup that is running.",
    "stop": "Stop docker altogether, its socket included, and prove it.",
    "start": "Start docker and wait until it answers.",
}


@click.group("docker")
def command() -> None:
    """See and control docker on the source hosts, through their gates.

    \b
    Examples:
      zrep docker status
      zrep docker stop manager-1 manager-2
    """


def _add(verb: str, text: str) -> None:
    @command.command(
        verb,
        help=f"{text}\n\nHOST is a logical host; without any, all hosts of all sets are meant. "
        f"Exit code 4: some hosts failed.\n\n\b\nExample:\n  zrep docker {verb} manager-1",
    )
    @click.argument("hosts", metavar="[HOST]...", nargs=-1)
    @json_option
    @click.pass_context
    def run(ctx: click.Context, hosts: tuple[str, ...], as_json: bool) -> int:
        from zrep.engine import docker
        from zrep.engine.site import open_site
        from zrep.report.docker import docker_json, render_done, render_status

        with open_site(load_config(ctx)) as site:
            done = docker.VERBS[verb](site, docker.pick_hosts(site.config, hosts))
        render = render_status if verb == "status" else render_done
        emit_json(docker_json(done)) if as_json else click.echo(render(done))
        return docker.status_of(done)


for _verb, _text in VERBS.items():
    _add(_verb, _text)

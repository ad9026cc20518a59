"""zrep gate."""

from __future__ import annotations

import click


@click.command("gate", hidden=True)
@click.argument("role", type=click.Choice(["target", "replica", "operator"]))
def command(role: str) -> int:
    """Answer one request of a restricted key or an operator, given in SSH_ORIGINAL_COMMAND.

    \b
    Example (in sudoers and authorized_keys, as `zrep capsule render` writes them):
      command="sudo -n /usr/libexec/zrep/zrep-gate-target"
    """
    from zrep.engine.gate import answer

    return answer(role)

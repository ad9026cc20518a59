"""What lets people without privileges mount backups on the machine with the pool. Pure.

A gate, its policy and a sudoers fragment, all of their own names: what the machine is to zrep
besides, and which keys it accepts, stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from zrep.capsule.render import LIBEXEC, InstallFile
from zrep.model.source import Config

GATE = "zrep-gate-operator"
GATE_TOML = "/etc/zrep/gate-operator.toml"
SUDOERS = "/etc/sudoers.d/zrep-operators"

_PROGRAM = f"{LIBEXEC}/{GATE}"
# Lower case to begin with: in sudoers a word of capitals is an alias, and ALL is everybody.
_WHO = re.compile(r"%?[a-z_][a-z0-9_.\-]{0,31}")


def parse_operators(words: Sequence[str]) -> tuple[str, ...]:
    """Logins and %groups, each once; ValueError for what sudoers would read as anything else."""
    for word in words:
        if not _WHO.fullmatch(word):
            raise ValueError(f"neither a login nor a %group: {word!r}")
    if not words:
        raise ValueError("no operator is named")
    return tuple(dict.fromkeys(words))


def render_operators(
    config: Config, operators: Sequence[str], hooks: Mapping[str, str]
) -> tuple[InstallFile, ...]:
    """The three files; `operators` are logins and %groups, `hooks` maps names to texts."""
    return (
        InstallFile(path=_PROGRAM, mode=0o755, text=hooks[GATE]),
        InstallFile(path=GATE_TOML, mode=0o644, text=render_operator_gate(config)),
        InstallFile(path=SUDOERS, mode=0o440, text=render_operator_sudoers(operators)),
    )


def render_operator_gate(config: Config) -> str:
    return (
        "# Written by zrep: what operators of this machine may look at and mount.\n"
        f"[operator]\ndataset = {json.dumps(str(config.target.dataset))}\n"
        f"sessions = {json.dumps(str(config.target.sessions))}\n"
    )


def render_operator_sudoers(operators: Sequence[str]) -> str:
    """One program without arguments; the request comes in SSH_ORIGINAL_COMMAND, kept for it alone.

    No pseudo-terminal comes between an answer and its reader.
    """
    who = ", ".join(parse_operators(operators))
    return (
        "# Written by zrep. Valid for sudo and sudo-rs.\n"
        f"Defaults!{_PROGRAM} !use_pty\n"
        f'Defaults!{_PROGRAM} env_keep += "SSH_ORIGINAL_COMMAND"\n'
        f'{who} ALL=(root) NOPASSWD: {_PROGRAM} ""\n'
    )

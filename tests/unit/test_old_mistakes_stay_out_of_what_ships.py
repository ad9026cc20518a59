"""Mistakes that can be seen in the texts that zrep installs; the table is docs/predecessor.md."""

from __future__ import annotations

import re

import pytest

from zrep.capsule.install import load_hooks
from zrep.capsule.render import PublicKey, Roles, render_host, render_sudoers
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName
from zrep.model.policy import Policy
from zrep.model.source import Address, BackupSet, Config, Method, Replica, Source, Target

CONTROL = PublicKey(line="ssh-ed25519 AAAAC3Nza control")
OTHERS = {
    "read": PublicKey(line="ssh-ed25519 AAAAC3Nzb read"),
    "restore": PublicKey(line="ssh-ed25519 AAAAC3Nzc restore"),
}
ROLES = (
    Roles(source="manager-1"),
    Roles(target=True),
    Roles(replica="offsite"),
    Roles(source="manager-1", target=True),
)
_NEGATED = re.compile(r"\b(if|elif|while|until) +!")


def eaten_statuses(text: str) -> list[int]:
    """Lines that read `$?` where the negation before it has made it 0 or 1."""
    found, negated = [], False
    for number, line in enumerate(text.splitlines(), 1):
        code = line.strip()
        if not code or code.startswith("#"):
            continue
        if "$?" in code and (negated or re.search(_NEGATED.pattern + r".*\$\?", code)):
            found.append(number)
        negated = _NEGATED.search(code) is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        "if ! prepare; then\n    error=$?\nfi\n",
        "if ! prepare; then error=$?; fi",
        "until ! x; do\n# y\n\n  e=$?",
    ],
)
def test_a_status_that_a_negation_has_eaten_is_found(text: str) -> None:
    assert eaten_statuses(text)


def test_no_script_reads_a_status_that_a_negation_has_eaten() -> None:
    hooks = load_hooks()
    assert any("$?" in text for text in hooks.values())
    assert {name for name, text in hooks.items() if eaten_statuses(text)} == set()


@pytest.mark.parametrize("roles", ROLES, ids=str)
def test_sudo_keeps_nothing_of_the_environment_but_the_request_of_a_gate(roles: Roles) -> None:
    defaults = [x for x in render_sudoers(roles, user="zrep").splitlines() if "Defaults" in x]
    kept = ['Defaults!ZREP_GATE env_keep += "SSH_ORIGINAL_COMMAND"'] if roles.gate else []
    assert [line for line in defaults if "env" in line] == kept
    assert all(line.startswith("Defaults!ZREP_") for line in defaults)


@pytest.mark.parametrize("roles", ROLES, ids=str)
def test_no_machine_gets_a_key_to_another(roles: Roles) -> None:
    """What a key may do there is restricted to one program; agents and ports are not forwarded."""
    config = platform()
    files = render_host(config, roles, load_hooks(), control=CONTROL, **OTHERS)
    assert not [f.path for f in files if "PRIVATE KEY" in f.text]
    assert not [f.path for f in files if not f.path.startswith(("/usr/libexec/zrep/", "/etc/"))][1:]
    keys = next(f.text for f in files if f.path.endswith("/authorized_keys")).splitlines()
    assert keys
    assert all(
        re.match(r'restrict,command="(sudo -n )?/usr/libexec/zrep/[\w-]+" ', k) for k in keys
    )


def platform() -> Config:
    key = SourceKey("manager-1", "docker")
    source = Source(key=key, method=Method.DIR, path="/docker")
    return Config(
        target=Target(dataset=DatasetName("backup/current"), policy=Policy(name="p", keep={})),
        hosts={"manager-1": Address(host="10.0.0.11")},
        sets={"platform": BackupSet(name="platform", sources=(source,))},
        replicas={"offsite": Replica(name="offsite", dataset=DatasetName("tank/copy"))},
        services={},
    )

"""docker ps and docker exec: exec runs the words here, as if here were the container.

State: `containers` id -> {service, state}; `environment` of a container's processes; `programs`,
the folder with its programs; `execs` keeps what each exec was told and saw.
"""

from __future__ import annotations

import subprocess
import sys

from tests.contract.fakes.calls import State

LABEL = "label=com.docker.swarm.service.name="


def main(state: State, argv: list[str]) -> tuple[str, int]:
    if argv[0] in state["refuse"]:
        return f"{state['refuse'][argv[0]]}\n", 1
    return {"ps": _ps, "exec": _exec}[argv[0]](state, argv[1:])


def _ps(state: State, words: list[str]) -> tuple[str, int]:
    assert words[:2] == ["--no-trunc", "--quiet"]
    filters = [words[n + 1] for n, word in enumerate(words) if word == "--filter"]
    (service,) = (f.removeprefix(LABEL) for f in filters if f.startswith(LABEL))
    assert "status=running" in filters
    found = [
        name
        for name, container in state["containers"].items()
        if container["service"] == service and container["state"] == "running"
    ]
    return "".join(f"{name}\n" for name in found), 0


def _exec(state: State, words: list[str]) -> tuple[str, int]:
    container, *command = words
    assert container in state["containers"]
    environment = {
        "PATH": f"{state['programs']}:/usr/bin:/bin",
        "TOLD": f"{state['programs']}/told",
        **state["environment"],
    }
    sys.stdout.flush()
    done = subprocess.run(command, env=environment, cwd="/", check=False, close_fds=True)
    state.setdefault("execs", []).append([container, *command])
    return "", done.returncode

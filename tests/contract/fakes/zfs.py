"""zfs as far as the capsules use it, over the names in the state.

State: `datasets` names; `zfs_snapshots` name -> {property -> [value, where from]}; `refuse` verb ->
why.
"""

from __future__ import annotations

from tests.contract.fakes.calls import State


def main(state: State, argv: list[str]) -> tuple[str, int]:
    verb, words = argv[0], argv[1:]
    if verb in state["refuse"]:
        return f"{state['refuse'][verb]}\n", 1
    return _COMMANDS[verb](state, words)


def _list(state: State, words: list[str]) -> tuple[str, int]:
    snapshots = state["zfs_snapshots"]
    if words == ["-H", "-o", "name", "-t", "snapshot"]:
        return "".join(f"{name}\n" for name in snapshots), 0
    *options, name = words
    if options == ["-H", "-o", "name", "-t", "filesystem"] and name in state["datasets"]:
        return f"{name}\n", 0
    if options == ["-H", "-o", "name", "-t", "snapshot"] and name in snapshots:
        return f"{name}\n", 0
    if options == ["-H", "-o", "io.zrep:run"] and name in snapshots:
        return f"{snapshots[name].get('io.zrep:run', ['-'])[0]}\n", 0
    return f"cannot open '{name}': dataset does not exist\n", 1


def _get(state: State, words: list[str]) -> tuple[str, int]:
    flags, key, name = words[:5], words[5], words[6]
    assert flags == ["-H", "-s", "local", "-o", "value"]
    value, origin = state["zfs_snapshots"][name].get(key, ["-", "none"])
    return (f"{value}\n" if origin == "local" else ""), 0


def _snapshot(state: State, words: list[str]) -> tuple[str, int]:
    *options, name = words
    pairs = [w.partition("=") for w in options if w != "-o"]
    if name in state["zfs_snapshots"]:
        return f"cannot create snapshot '{name}': dataset already exists\n", 1
    state["zfs_snapshots"][name] = {key: [value, "local"] for key, _, value in pairs}
    return "", 0


def _destroy(state: State, words: list[str]) -> tuple[str, int]:
    (name,) = words
    assert "@" in name
    del state["zfs_snapshots"][name]
    return "", 0


_COMMANDS = {"list": _list, "get": _get, "snapshot": _snapshot, "destroy": _destroy}

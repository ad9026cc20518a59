"""gluster as far as the capsules use it: answers as tests/data/gluster-10.3.txt has them.

State: `volumes` name -> {status, bricks, up, copies, heal, limit, auto_delete}, `snapshots` name ->
{mark, origin, volume, status}; `refuse` "snapshot delete" -> why, `pretend` verbs
that are only said to be done, `busy` how often to be; `stamp` appends times to names.
"""

from __future__ import annotations

from tests.contract.fakes.calls import State

NOT_THERE = 30806
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput>\n'
STAMP = "_GMT-2026.11.23-14.50.14"
HERE = "f169ed51-f34f-4c32-a03c-55f1f0d0725e"


def main(state: State, argv: list[str]) -> tuple[str, int]:
    if argv[:2] != ["--mode=script", "--xml"]:
        return "without --mode=script --xml\n", 1
    words = argv[2:]
    if state.get("down"):
        return "Connection failed. Please check if gluster daemon is operational.\n", 1
    verb = " ".join(words[:2])
    if state.get("busy"):
        state["busy"] -= 1
        return _answer(30800, "Another transaction is in progress for docker."), 0
    if verb in state["refuse"]:
        return _answer(30800, state["refuse"][verb]), 0
    if verb in state.get("pretend", ()):
        return _answer(0, ""), 0
    return _COMMANDS[verb](state, words[2:]), 0


def _answer(errno: int, why: str, body: str = "") -> str:
    status = f"  <opRet>{-1 if errno else 0}</opRet>\n  <opErrno>{errno}</opErrno>\n"
    text = f"  <opErrstr>{why}</opErrstr>\n" if why else "  <opErrstr/>\n"
    return f"{HEAD}{status}{text}{body}</cliOutput>\n"


def _volume_info(state: State, words: list[str]) -> str:
    volume = state["volumes"].get(words[0])
    if volume is None:
        body = "<volInfo><volumes><count>0</count></volumes></volInfo>"
        return _answer(NOT_THERE, "Volume does not exist", body)
    taken = sum(s["origin"] == words[0] for s in state["snapshots"].values())
    bricks = "".join(
        f'<brick uuid="{uuid}">{path}<name>{path}</name><hostUuid>{uuid}</hostUuid>'
        "<isArbiter>0</isArbiter></brick>"
        for path, uuid in volume["bricks"]
    )
    body = f"""<volInfo><volumes><volume><name>{words[0]}</name><id>x</id>
        <status>1</status><statusStr>{volume["status"]}</statusStr>
        <snapshotCount>{taken}</snapshotCount><brickCount>{len(volume["bricks"])}</brickCount>
        <distCount>1</distCount><replicaCount>{volume["copies"]}</replicaCount>
        <arbiterCount>0</arbiterCount><disperseCount>0</disperseCount>
        <redundancyCount>0</redundancyCount><type>0</type><typeStr>Distribute</typeStr>
        <transport>0</transport><bricks>{bricks}</bricks><optCount>1</optCount>
        <options><option><name>nfs.disable</name><value>on</value></option></options>
        </volume><count>1</count></volumes></volInfo>"""
    return _answer(0, "", body)


def _volume_status(state: State, words: list[str]) -> str:
    volume = state["volumes"][words[0]]
    rows = [
        (path.partition(":")[2], up)
        for (path, _), up in zip(volume["bricks"], volume["up"], strict=True)
    ]
    nodes = "".join(_node("m1", path, up) for path, up in rows if up is not None)
    if volume["copies"] > 1:
        nodes += _node("Self-heal Daemon", "localhost", 1)
    body = f"""<volStatus><volumes><volume><volName>{words[0]}</volName>
        <nodeCount>1</nodeCount>{nodes}<tasks/></volume></volumes></volStatus>"""
    return _answer(0, "", body)


def _node(host: str, path: str, up: int) -> str:
    return f"""<node><hostname>{host}</hostname><path>{path}</path><peerid>{HERE}</peerid>
        <status>{up}</status><port>1</port><ports><tcp>1</tcp><rdma>N/A</rdma></ports>
        <pid>95</pid></node>"""


def _heal(state: State, words: list[str]) -> str:
    volume = state["volumes"][words[0]]
    bricks = "".join(
        f"""<brick hostUuid="{uuid}"><name>{path}</name><status>Connected</status>
        <totalNumberOfEntries>{count}</totalNumberOfEntries>
        <numberOfEntriesInHealPending>{count}</numberOfEntriesInHealPending>
        <numberOfEntriesInSplitBrain>0</numberOfEntriesInSplitBrain>
        <numberOfEntriesPossiblyHealing>0</numberOfEntriesPossiblyHealing></brick>"""
        for (path, uuid), count in zip(volume["bricks"], volume["heal"], strict=True)
    )
    tail = "<opRet>0</opRet><opErrno>0</opErrno><opErrstr/>"
    return f"{HEAD}<healInfo><bricks>{bricks}</bricks></healInfo>{tail}</cliOutput>\n"


def _config(state: State, words: list[str]) -> str:
    volume = state["volumes"][words[0]]
    limit = volume["limit"]
    body = f"""<snapConfig><systemConfig><hardLimit>256</hardLimit><softLimit>90%</softLimit>
        <autoDelete>{volume["auto_delete"]}</autoDelete><activateOnCreate>disable</activateOnCreate>
        </systemConfig><volumeConfig><volume><name>{words[0]}</name><hardLimit>{limit}</hardLimit>
        <effectiveHardLimit>{limit}</effectiveHardLimit><softLimit>{limit * 9 // 10}</softLimit>
        </volume></volumeConfig></snapConfig>"""
    return _answer(0, "", body)


def _create(state: State, words: list[str]) -> str:
    name, volume, stamp, _, mark = words
    if stamp != "no-timestamp" or state.get("stamp"):
        name += STAMP
    if name in state["snapshots"]:
        return _answer(30812, f"Snapshot {name} already exists")
    state["snapshots"][name] = {
        "mark": mark,
        "origin": volume,
        "volume": f"{len(state['calls']):032x}",
        "status": "Stopped",
    }
    body = f"<snapCreate><snapshot><name>{name}</name><uuid>u</uuid></snapshot></snapCreate>"
    return _answer(0, "", body)


def _set_status(state: State, name: str, status: str, verb: str) -> str:
    snapshot = state["snapshots"].get(name)
    if snapshot is None:
        return _answer(30807, f"Snapshot ({name}) does not exist.")
    if snapshot["status"] == status:
        return _answer(22, f"Snapshot {name} is already {verb.lower()}d.")
    snapshot["status"] = status
    body = f"<snap{verb}><snapshot><name>{name}</name><uuid>u</uuid></snapshot></snap{verb}>"
    return _answer(0, "", body)


def _delete(state: State, words: list[str]) -> str:
    if state["snapshots"].pop(words[0], None) is None:
        why = f"Snapshot ({words[0]}) does not exist"
        body = f"""<snapDelete><snapshots><snapshot><status>Failure</status><opRet>-1</opRet>
            <opErrno>30807</opErrno><opErrstr>{why}</opErrstr><name>{words[0]}</name></snapshot>
            </snapshots></snapDelete>"""
        return _answer(30807, why, body)
    body = f"""<snapDelete><snapshots><snapshot><status>Success</status><name>{words[0]}</name>
        <uuid>u</uuid></snapshot></snapshots></snapDelete>"""
    return _answer(0, "", body)


def _info(state: State, words: list[str]) -> str:
    found = {n: s for n, s in state["snapshots"].items() if not words or n == words[0]}
    if words and not found:
        return _answer(30800, f"Snapshot ({words[0]}) does not exist")
    inner = "".join(_one(state, name, s) for name, s in sorted(found.items()))
    shown = f"<snapshots>{inner}</snapshots>" if inner else "<snapshots/>"
    return _answer(0, "", f"<snapInfo><count>{len(found)}</count>{shown}</snapInfo>")


def _one(state: State, name: str, snapshot: State) -> str:
    mark = (
        f"<description>{snapshot['mark']}</description>" if snapshot["mark"] else "<description/>"
    )
    return f"""<snapshot><name>{name}</name><uuid>u</uuid>{mark}
        <createTime>2026-11-23 14:50:14 +0000</createTime><volCount>1</volCount>
        <snapVolume><name>{snapshot["volume"]}</name><status>{snapshot["status"]}</status>
        <originVolume><name>{snapshot["origin"]}</name><snapCount>{len(state["snapshots"])}</snapCount>
        <snapRemaining>255</snapRemaining></originVolume></snapVolume></snapshot>"""


_COMMANDS = {
    "volume info": _volume_info,
    "volume status": _volume_status,
    "volume heal": _heal,
    "snapshot config": _config,
    "snapshot create": _create,
    "snapshot activate": lambda s, w: _set_status(s, w[0], "Started", "Activate"),
    "snapshot deactivate": lambda s, w: _set_status(s, w[0], "Stopped", "Deactivate"),
    "snapshot delete": _delete,
    "snapshot info": _info,
}

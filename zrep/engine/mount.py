"""Sessions: a backup's children as clones, mounted read-only, found again from ZFS alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from zrep.engine.observe import LOCKED_DOWN, STORAGE
from zrep.errors import DatasetMissing, UnknownName, ZfsError
from zrep.model.backup import Backup
from zrep.model.inventory import Inventory
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.session import Session, encode_session, find_sessions
from zrep.model.source import SourceKey
from zrep.zfs.port import Zfs

CONTAINER = {"canmount": "off"}
# Clones inherit from here, not from their origins: without acltype their ACLs would not be seen.
SESSIONS = {**CONTAINER, **LOCKED_DOWN, **STORAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPlan:
    """The datasets one session needs, in the order in which they are made."""

    session: Session
    containers: tuple[DatasetName, ...]
    clones: tuple[tuple[SourceKey, SnapshotName, DatasetName], ...]

    @property
    def origins(self) -> tuple[SnapshotName, ...]:
        return tuple(origin for _, origin, _ in self.clones)


def plan_mount(backup: Backup, session: Session) -> MountPlan:
    """`<sessions>/<session>/<host>/<source>` for every child of the backup."""
    hosts = sorted({c.key.host for c in backup.children})
    return MountPlan(
        session=session,
        containers=tuple(session.dataset / host for host in hosts),
        clones=tuple(
            (c.key, c.snapshot.name, session.dataset / str(c.key))
            for c in sorted(backup.children, key=lambda c: c.key)
        ),
    )


def apply_mount(zfs: Zfs, plan: MountPlan) -> Session:
    """Make and mount the clones; on failure everything this call made is taken away again."""
    root = plan.session.dataset
    _ensure_root(zfs, root.parent or root)
    with ExitStack() as undo:
        properties = {"canmount": "noauto", **encode_session(plan.session)}
        zfs.create(root, properties, mount=False)
        undo.callback(zfs.destroy, root)
        zfs.mount(root)
        zfs.hold(plan.origins, plan.session.tag)
        undo.callback(zfs.release, plan.origins, plan.session.tag)
        for container in plan.containers:
            zfs.create(container, CONTAINER, mount=False)
            undo.callback(zfs.destroy, container)
        for _, origin, dataset in plan.clones:
            zfs.clone(origin, dataset, {"canmount": "noauto", "readonly": "on"})
            undo.callback(zfs.destroy, dataset)
            zfs.mount(dataset)
        undo.pop_all()
    return get_session(list_sessions(zfs, root.parent or root), plan.session.name)


def _ensure_root(zfs: Zfs, root: DatasetName) -> None:
    try:
        zfs.inventory(root, snapshots=False)
    except DatasetMissing:
        zfs.create(root, SESSIONS, mount=False)


def list_sessions(zfs: Zfs, root: DatasetName) -> Sequence[Session]:
    """All sessions, oldest first; none when the sessions' root was never made."""
    try:
        return find_sessions(zfs.inventory(root, snapshots=False), root)
    except DatasetMissing:
        return ()


def get_session(sessions: Sequence[Session], name: str) -> Session:
    """The session of exactly that name."""
    for session in sessions:
        if session.name == name:
            return session
    known = ", ".join(s.name for s in sessions) or "there are none"
    raise UnknownName(f"no session {name!r}", why=known, next_step="see: zrep sessions")


def umount(zfs: Zfs, session: Session) -> None:
    """Destroy the session's clones, then itself; only datasets below its own root are touched.

    DatasetBusy when somebody still uses a clone: what is left stays a session and umount can be
    repeated.
    """
    tree = zfs.inventory(session.dataset, snapshots=False)
    origins = [d.origin for d in tree if d.origin is not None]
    for name in _deepest_first(tree):
        if name != session.dataset:
            zfs.destroy(name)
    zfs.release(origins, session.tag)
    zfs.destroy(session.dataset)


def _deepest_first(tree: Inventory) -> Sequence[DatasetName]:
    return sorted((d.name for d in tree), key=lambda n: (-n.text.count("/"), n.text))


def mountpoints(session: Session) -> Mapping[SourceKey, str]:
    """Where each source can be read; ZfsError when a clone is not mounted."""
    found = {key: clone.mountpoint for key, clone in session.clones.items()}
    missing = [str(key) for key, path in found.items() if path is None]
    if missing:
        raise ZfsError(
            f"session {session.name} is not mounted",
            why=", ".join(missing),
            next_step=f"zrep umount {session.name}, then mount again",
        )
    return {key: path for key, path in found.items() if path is not None}

"""Sessions: a backup's children as mounted clones, found again from ZFS alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field, replace

from zrep.engine.observe import LOCKED_DOWN, STORAGE
from zrep.errors import DatasetExists, DatasetMissing, UnknownName, ZfsError
from zrep.frozen import dataclass
from zrep.model.backup import Backup
from zrep.model.inventory import Inventory
from zrep.model.key import SourceKey
from zrep.model.names import DatasetName, SnapshotName
from zrep.model.session import Clone, Session, encode_folder, encode_session, find_sessions
from zrep.zfs.port import Zfs

CONTAINER = {"canmount": "off"}
# Clones inherit from here, not from their origins: without acltype their ACLs would not be seen.
SESSIONS = {**CONTAINER, **LOCKED_DOWN, **STORAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPlan:
    """The datasets one session needs, in the order in which they are made.

    `folders` says where in their clones the sources of an imported backup lie.
    """

    session: Session
    containers: tuple[DatasetName, ...]
    clones: tuple[tuple[SourceKey, SnapshotName, DatasetName], ...]
    folders: Mapping[SourceKey, str] = field(default_factory=dict, hash=False)

    @property
    def origins(self) -> tuple[SnapshotName, ...]:
        return tuple(dict.fromkeys(origin for _, origin, _ in self.clones))


def plan_mount(
    backup: Backup, session: Session, *, only: Sequence[SourceKey] | None = None
) -> MountPlan:
    """`<sessions>/<session>/<host>/<source>` for every child of the backup, or `only` for these.

    UnknownName when the backup does not hold one of them.
    """
    _check_held(backup, only or ())
    children = [c for c in backup.children if only is None or c.key in only]
    hosts = sorted({c.key.host for c in children})
    return MountPlan(
        session=session,
        containers=tuple(session.dataset / host for host in hosts),
        clones=tuple(
            (c.key, c.snapshot.name, session.dataset / str(c.key))
            for c in sorted(children, key=lambda c: c.key)
        ),
        folders={c.key: c.folder for c in children if c.folder},
    )


def _check_held(backup: Backup, wanted: Sequence[SourceKey]) -> None:
    missing = [str(key) for key in wanted if key not in backup.keys]
    if missing:
        raise UnknownName(
            f"backup {backup.id} does not hold {', '.join(missing)}",
            why=f"it holds {', '.join(sorted(map(str, backup.keys)))}",
            next_step="name one of these, or take another backup: zrep list",
        )


def apply_mount(zfs: Zfs, plan: MountPlan) -> Session:
    """Make and mount the clones; on failure everything this call made is taken away again."""
    root = plan.session.dataset
    properties_of_clones = clone_properties(writable=plan.session.writable)
    with ExitStack() as undo:
        with _or_nothing(zfs, root):
            _create_session(zfs, root, encode_session(plan.session))
        undo.callback(zfs.destroy, root)
        zfs.hold(plan.origins, plan.session.tag)
        undo.callback(zfs.release, plan.origins, plan.session.tag)
        for container in plan.containers:
            zfs.create(container, CONTAINER, mount=False)
            undo.callback(zfs.destroy, container)
        for key, origin, dataset in plan.clones:
            folder = encode_folder(plan.folders.get(key, ""))
            with _or_nothing(zfs, dataset):
                zfs.clone(origin, dataset, {**properties_of_clones, **folder})
            undo.callback(zfs.destroy, dataset)
        made = replace(plan.session, clones=_clones(zfs, plan))
        _check_mounted(made)
        undo.pop_all()
    return made


def _check_mounted(session: Session) -> None:
    """Of a dataset whose mountpoint is none, or legacy, ZFS makes a clone without a word."""
    if any(clone.mountpoint is None for clone in session.clones.values()):
        raise ZfsError(
            "cannot mount the clones; they are gone again",
            where=str(session.dataset),
            next_step=f"zfs get -r mountpoint,canmount {session.dataset.parent}",
        )


@contextmanager
def _or_nothing(zfs: Zfs, dataset: DatasetName) -> Iterator[None]:
    """What was made and could not be mounted is taken away; what was there before stays."""
    try:
        yield
    except DatasetExists:
        raise
    except ZfsError:
        with suppress(DatasetMissing):
            zfs.destroy(dataset)
        raise


def _clones(zfs: Zfs, plan: MountPlan) -> Mapping[SourceKey, Clone]:
    """What was made, and where it is mounted."""
    there = zfs.mounts(plan.session.dataset)
    return {
        key: Clone(
            dataset=dataset,
            origin=origin,
            mountpoint=there.get(dataset),
            folder=plan.folders.get(key, ""),
        )
        for key, origin, dataset in plan.clones
    }


def clone_properties(*, writable: bool) -> dict[str, str]:
    """Said of each clone itself, whatever the sessions' root was made with."""
    return {"readonly": "off" if writable else "on", **LOCKED_DOWN}


def _create_session(zfs: Zfs, root: DatasetName, properties: Mapping[str, str]) -> None:
    """Mounted, and with the dataset of all sessions when this is the first."""
    try:
        zfs.create(root, properties)
    except DatasetMissing:
        with suppress(DatasetExists):
            zfs.create(root.parent or root, SESSIONS, mount=False)
        zfs.create(root, properties)


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

    DatasetBusy when somebody still uses a clone: then all clones are mounted as before.
    """
    tree = zfs.inventory(session.dataset, snapshots=False)
    origins = list(dict.fromkeys(d.origin for d in tree if d.origin is not None))
    _unmount_all(zfs, tree)
    for name in _deepest_first(tree):
        if name != session.dataset:
            zfs.destroy(name)
    zfs.release(origins, session.tag)
    zfs.destroy(session.dataset)


def _unmount_all(zfs: Zfs, tree: Inventory) -> None:
    """All or none, so that a session in use stays whole."""
    mounted = {d.name for d in tree if d.mounted}
    with ExitStack() as undo:
        for name in _deepest_first(tree):
            if name in mounted:
                zfs.unmount(name)
                undo.callback(zfs.mount, name)
        undo.pop_all()


def umount_expired(
    zfs: Zfs, sessions: Sequence[Session], now: int
) -> tuple[tuple[Session, ...], Mapping[str, ZfsError]]:
    """Umount what was meant to stay until before `now` (epoch seconds).

    Returns the sessions that are gone, and why by name for those that could not go.
    """
    gone: list[Session] = []
    kept: dict[str, ZfsError] = {}
    for session in (s for s in sessions if s.expires < now):
        try:
            umount(zfs, session)
            gone.append(session)
        except ZfsError as error:
            kept[session.name] = error
    return tuple(gone), kept


def _deepest_first(tree: Inventory) -> Sequence[DatasetName]:
    return sorted((d.name for d in tree), key=lambda n: (-n.text.count("/"), n.text))


def mountpoints(session: Session) -> Mapping[SourceKey, str]:
    """Where each source can be read; ZfsError when a clone is not mounted."""
    found = {key: clone.path for key, clone in session.clones.items()}
    missing = [str(key) for key, path in found.items() if path is None]
    if missing:
        raise ZfsError(
            f"session {session.name} is not mounted",
            why=", ".join(missing),
            next_step=f"zrep umount {session.name}, then mount again",
        )
    return {key: path for key, path in found.items() if path is not None}

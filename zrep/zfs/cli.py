"""The Zfs port through the `zfs` command on any Host: this machine, or another over ssh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from zrep.errors import CommandFailed, DatasetExists, DatasetMissing, ZfsError
from zrep.host.port import Host
from zrep.model.inventory import Inventory, Snapshot
from zrep.model.names import DatasetName, SnapshotName
from zrep.zfs import argv, parse, wording

if TYPE_CHECKING:
    from zrep.model.plan import SendSpec

# A pool with 100,000 snapshots, or a destroy behind a busy txg, takes minutes on spinning disks.
TIMEOUT = 900.0


class CliZfs:
    """See zrep.zfs.port.Zfs for what each operation promises."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def inventory(
        self, root: DatasetName, *, snapshots: bool = True, only: Sequence[str] | None = None
    ) -> Inventory:
        what = f"cannot read {root}"
        listing = self._run(argv.list_argv(root, snapshots=snapshots, only=only or ()), what)
        if only is not None:
            return parse.parse_listing(listing, only)
        properties = self._run(argv.local_properties_argv(root, snapshots=snapshots), what)
        return parse.parse_inventory(listing, properties)

    def look(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, Snapshot]:
        found: dict[SnapshotName, Snapshot] = {}
        for batch in argv.in_batches(dict.fromkeys(names)):
            done = self.host.run(argv.look_argv(batch), timeout=TIMEOUT, ok=(0, 1))
            bad = wording.without(done.stderr, wording.NO_SUCH_DATASET)
            if bad:
                raise self._error(bad, f"cannot read {len(batch)} snapshots")
            found |= {s.name: s for s in parse.parse_snapshots(done.stdout)}
        return found

    def mounts(self, root: DatasetName) -> Mapping[DatasetName, str]:
        try:
            return self.inventory(root, snapshots=False, only=()).mounts
        except DatasetMissing:
            return {}

    def create(
        self, dataset: DatasetName, properties: Mapping[str, str], *, mount: bool = True
    ) -> None:
        self._run(argv.create_argv(dataset, properties, mount=mount), f"cannot create {dataset}")

    def snapshot(self, names: Sequence[SnapshotName], properties: Mapping[str, str]) -> None:
        if not names:
            return
        command = argv.snapshot_argv(names, properties)
        what = f"cannot snapshot {len(names)} datasets as @{names[0].snap}"
        if sum(len(word) + 1 for word in command) > argv.MAX_COMMAND:
            raise ZfsError(
                what,
                where=self.host.name,
                why="too many for one atomic command",
                next_step="split the set, or run zrep on that machine with python3-pyzfs",
            )
        self._run(command, what)

    def destroy_snapshots(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        groups: dict[DatasetName, list[SnapshotName]] = defaultdict(list)
        for name in dict.fromkeys(names):
            groups[name.dataset].append(name)
        refused: dict[SnapshotName, str] = {}
        for group in groups.values():
            for batch in argv.in_batches(group):
                refused |= self._destroy_batch(batch)
        return refused

    def _destroy_batch(self, batch: Sequence[SnapshotName]) -> Mapping[SnapshotName, str]:
        """ZFS destroys the whole batch or nothing of it: leave out what it names, and repeat.

        A failure that names none of them is narrowed down by halves.
        """
        if not batch:
            return {}
        try:
            self.host.run(argv.destroy_snapshots_argv(batch), timeout=TIMEOUT)
        except CommandFailed as failure:
            error = self._error(failure.stderr, "cannot destroy snapshots")
            if isinstance(error, DatasetMissing):
                return {}
            return self._destroy_rest(batch, failure.stderr, error)
        return {}

    def _destroy_rest(
        self, batch: Sequence[SnapshotName], stderr: str, error: ZfsError
    ) -> Mapping[SnapshotName, str]:
        reasons = wording.destroy_refusals(stderr)
        refused = {name: reasons[str(name)] for name in batch if str(name) in reasons}
        if refused:
            rest = [name for name in batch if name not in refused]
            return {**refused, **self._destroy_batch(rest)}
        if len(batch) == 1:
            return {batch[0]: wording.destroy_reason(error.why)}
        half = len(batch) // 2
        return {**self._destroy_batch(batch[:half]), **self._destroy_batch(batch[half:])}

    def holds(self, names: Sequence[SnapshotName]) -> Mapping[SnapshotName, frozenset[str]]:
        tags: dict[str, frozenset[str]] = {}
        for batch in argv.in_batches(names):
            text = self._run(argv.holds_argv(batch), "cannot read holds")
            tags |= parse.parse_holds(text)
        return {name: tags.get(str(name), frozenset()) for name in names}

    def hold(self, names: Sequence[SnapshotName], tag: str) -> None:
        """The command holds what it can and complains about the rest: undo when it complained."""
        done: list[SnapshotName] = []
        for batch in _small_batches(names):
            said = self._complaints(argv.hold_argv(batch, tag))
            done += wording.not_mentioned(batch, said)
            bad = wording.without(said, wording.TAG_EXISTS)
            if bad:
                self.release(done, tag)
                raise self._error(bad, f"cannot hold {len(names)} snapshots")

    def release(self, names: Sequence[SnapshotName], tag: str) -> None:
        for batch in _small_batches(names):
            said = self._complaints(argv.release_argv(batch, tag))
            bad = wording.without(said, wording.NO_SUCH_TAG, wording.NO_SUCH_DATASET)
            if bad:
                raise self._error(bad, f"cannot release {len(batch)} snapshots")

    def bookmark(self, snapshot: SnapshotName, mark: str) -> None:
        try:
            self._make_bookmark(snapshot, mark)
        except DatasetExists:
            bookmark = argv.bookmark_name(snapshot.dataset, mark)
            if len(set(self._guids((str(snapshot), bookmark)))) != 1:
                raise

    def _make_bookmark(self, snapshot: SnapshotName, mark: str) -> None:
        self._run(argv.bookmark_argv(snapshot, mark), f"cannot bookmark {snapshot} as #{mark}")

    def _guids(self, names: Sequence[str]) -> Iterable[str]:
        text = self._run(argv.get_argv(names, ("guid",)), "cannot read guids")
        return (words["guid"] for words in parse.parse_properties(text).values())

    def destroy_bookmark(self, dataset: DatasetName, mark: str) -> None:
        try:
            self._run(argv.destroy_bookmark_argv(dataset, mark), f"cannot destroy {dataset}#{mark}")
        except DatasetMissing:
            return

    def clone(
        self, snapshot: SnapshotName, dataset: DatasetName, properties: Mapping[str, str]
    ) -> None:
        what = f"cannot clone {snapshot} to {dataset}"
        self._run(argv.clone_argv(snapshot, dataset, properties), what)

    def destroy(self, dataset: DatasetName) -> None:
        self._run(argv.destroy_argv(dataset), f"cannot destroy {dataset}")

    def set_properties(
        self, names: Sequence[DatasetName | SnapshotName], properties: Mapping[str, str]
    ) -> None:
        for command in argv.set_batches(names, properties):
            self._run(command, f"cannot set properties of {names[0]}")

    def get(self, dataset: DatasetName, names: Sequence[str]) -> Mapping[str, str]:
        text = self._run(argv.get_argv((str(dataset),), names), f"cannot read {dataset}")
        found = parse.parse_properties(text).get(str(dataset), {})
        return {name: found.get(name, "-") for name in names}

    def mount(self, dataset: DatasetName) -> None:
        self._run(argv.mount_argv(dataset), f"cannot mount {dataset}", fine=wording.ALREADY_MOUNTED)

    def unmount(self, dataset: DatasetName) -> None:
        self._run(argv.unmount_argv(dataset), f"cannot unmount {dataset}", fine=wording.NOT_MOUNTED)

    def send_size(self, spec: SendSpec) -> int:
        text = self._run(argv.send_argv(spec, estimate=True), f"cannot send {spec.snapshot}")
        return parse.parse_send_size(text)

    def send_argv(self, spec: SendSpec) -> tuple[str, ...]:
        return self.host.bulk_argv(argv.send_argv(spec))

    def receive_argv(self, dataset: DatasetName) -> tuple[str, ...]:
        return self.host.bulk_argv(argv.receive_argv(dataset))

    def abort_receive(self, dataset: DatasetName) -> None:
        what = f"cannot abort the receive into {dataset}"
        try:
            self._run(argv.abort_receive_argv(dataset), what, fine=wording.NO_RESUME_STATE)
        except DatasetMissing:
            return

    def _run(self, command: Sequence[str], what: str, *, fine: str | None = None) -> str:
        """stdout of one command; a failure whose message contains `fine` is none."""
        try:
            return self.host.run(command, timeout=TIMEOUT).stdout
        except CommandFailed as failure:
            if fine is not None and fine in failure.stderr:
                return ""
            raise self._error(failure.stderr, what) from failure

    def _complaints(self, command: Sequence[str]) -> str:
        """What a command that goes on after failures said; empty when all went well."""
        try:
            self.host.run(command, timeout=TIMEOUT)
        except CommandFailed as failure:
            return failure.stderr or str(failure)
        return ""

    def _error(self, stderr: str, what: str) -> ZfsError:
        return wording.error_from_text(stderr, what=what, where=self.host.name)


def _small_batches(names: Sequence[SnapshotName]) -> Iterator[tuple[SnapshotName, ...]]:
    """So small that a complaint about each still fits into what is kept of stderr."""
    return argv.in_batches(dict.fromkeys(names), limit=48 * 1024, extra=80)

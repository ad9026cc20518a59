"""The evidence of drills: one JSON file each below `<state_dir>/drills`, signed by an ssh key."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from zrep.engine.state_files import json_files
from zrep.errors import CommandFailed, ConfigError, Refused, UnknownName
from zrep.frozen import dataclass
from zrep.host.process import run
from zrep.model.evidence import NAMESPACE, Evidence, State, decode_evidence, encode_evidence

FOLDER = "drills"
SIGNATURE = ".sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where evidence lies; `key` signs it, empty for none."""

    folder: Path
    key: str = ""

    def begin(self, evidence: Evidence) -> None:
        """On disk before anything is done: what never ends was interrupted."""
        if self._path(evidence.id).exists():
            raise Refused(
                f"there is evidence of a drill {evidence.id} already",
                next_step="wait a second, then run it again",
            )
        self._write(self._path(evidence.id), encode_evidence(evidence))

    def end(self, evidence: Evidence) -> Path:
        """Complete, signed and on disk, or as it was."""
        path, text = self._path(evidence.id), encode_evidence(evidence)
        if self.key:
            self._write(Path(f"{path}{SIGNATURE}"), sign(text, self.key))
        self._write(path, text)
        return path

    def all(self) -> tuple[Evidence, ...]:
        """Newest first. ConfigError for what cannot be read, all of them or one."""
        return tuple(map(read, json_files(self.folder)))

    def proven(self) -> tuple[Evidence, ...]:
        """All that there were; with a key one that has passed without its signature has failed.

        From the newest on until one is proven: what is older is of no interest then.
        """
        drills = list(self.all())
        for index, evidence in enumerate(drills if self.key else ()):
            if evidence.state is State.PASSED:
                drills[index] = self._judged(evidence)
                if drills[index].state is State.PASSED:
                    break
        return tuple(drills)

    def _judged(self, evidence: Evidence) -> Evidence:
        try:
            verify(self._path(evidence.id), f"{self.key}.pub")
        except Refused as error:
            return replace(evidence, state=State.FAILED, error=str(error))
        return evidence

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _write(self, path: Path, text: str) -> None:
        new = Path(f"{path}.new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            with new.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise ConfigError(
                (f"state_dir: cannot write {path}: {error.strerror}",),
                next_step="run as the user that owns state_dir; a drill leaves evidence or is none",
            ) from error


def shelf_in(state_dir: Path, key: str) -> Shelf:
    return Shelf(folder=state_dir / FOLDER, key=key)


def read(path: Path) -> Evidence:
    try:
        return decode_evidence(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UnknownName(f"there is no {path}", next_step="see: zrep drill --list") from error
    except (OSError, ValueError) as error:
        raise ConfigError(
            (f"{path}: cannot be read: {error}",), next_step="move the file away"
        ) from error


def check_key(key: str) -> None:
    """ConfigError now rather than at the end of a drill."""
    for path in (key, f"{key}.pub") if key else ():
        if not os.access(path, os.R_OK):
            raise ConfigError(
                (f"drill.key: cannot read {path}",),
                next_step=f"make it: ssh-keygen -t ed25519 -N '' -C zrep-drill -f {key}",
            )


def sign(text: str, key: str) -> str:
    """OpenSSH's detached signature of the text."""
    try:
        return run(("ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE), stdin=text).stdout
    except CommandFailed as error:
        raise ConfigError(
            (f"drill.key: cannot sign with {key}: {error.why}",),
            next_step="it must be a private key of OpenSSH without a passphrase",
        ) from error


def verify(path: Path, public_key: str) -> str:
    """What ssh-keygen says of a good signature; Refused for any other."""
    signature = Path(f"{path}{SIGNATURE}")
    if not signature.exists():
        raise Refused("it is not signed", where=str(path), why=f"there is no {signature}")
    with TemporaryDirectory(prefix="zrep-drill-") as folder:
        allowed = Path(folder, "allowed")
        allowed.write_text(_allowed(public_key), encoding="utf-8")
        argv = ("ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", NAMESPACE)
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        try:
            done = run((*argv, "-n", NAMESPACE, "-s", str(signature)), stdin=text)
        except CommandFailed as error:
            raise Refused(
                "the signature does not hold",
                where=str(path),
                why=error.why,
                next_step="the file was changed after it was signed, or by another key",
            ) from error
    return done.stdout.strip()


def _allowed(public_key: str) -> str:
    """The one key that may have signed, as ssh-keygen reads it."""
    try:
        words = Path(public_key).read_text(encoding="utf-8").split()
    except OSError as error:
        raise ConfigError((f"drill.key: cannot read {public_key}: {error.strerror}",)) from error
    return f'{NAMESPACE} namespaces="{NAMESPACE}" {" ".join(words[:2])}\n'


def interrupted(shelf: Shelf, drills: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Called while no other drill runs: those that say they do have failed."""
    left = tuple(d for d in drills if d.state is State.RUNNING)
    for evidence in left:
        shelf.end(replace(evidence, state=State.FAILED, error="the drill was interrupted"))
    return left

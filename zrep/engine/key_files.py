"""The key files themselves: made by ssh-keygen, complete or not at all, and moved by renaming."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from zrep.errors import CommandFailed, ConfigError, Refused
from zrep.frozen import dataclass
from zrep.host.process import run
from zrep.model.keys import NEXT, OLD, KeyName, Phase, phase_of
from zrep.model.source import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """One of our keys; its private half is at `path`, the public one at `path`.pub."""

    name: KeyName
    path: Path

    def beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    @property
    def exists(self) -> bool:
        return is_there(self.path)

    @property
    def phase(self) -> Phase:
        return phase_of([s for s in (NEXT, OLD) if is_there(self.beside(s))])


def is_there(path: Path) -> bool:
    """ConfigError when its folder is closed to whoever asks."""
    try:
        return path.exists()
    except PermissionError as error:
        raise ConfigError(
            (f"cannot look at {path}: {error.strerror}",), next_step="run as root"
        ) from error


def key_file(config: Config, name: KeyName) -> KeyFile:
    paths = {
        KeyName.CONTROL: config.ssh.control_key,
        KeyName.READ: config.ssh.read_key,
        KeyName.RESTORE: config.ssh.restore_key,
    }
    return KeyFile(name=name, path=Path(paths[name]))


def make(key: KeyFile, suffix: str = "") -> None:
    """A new ed25519 key without passphrase; Refused when there is one."""
    path = key.beside(suffix)
    if is_there(path):
        raise Refused(f"{path} exists", next_step=f"zrep key rotate {key.name}")
    new = key.beside(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for stale in (new, new.with_name(f"{new.name}.pub")):
            stale.unlink(missing_ok=True)
        words = ("-q", "-t", "ed25519", "-N", "", "-C", f"zrep-{key.name}", "-f", str(new))
        run(("ssh-keygen", *words))
        new.with_name(f"{new.name}.pub").replace(path.with_name(f"{path.name}.pub"))
        new.replace(path)
    except OSError as error:
        raise ConfigError(
            (f"cannot write {path}: {error.strerror}",), next_step="run as root"
        ) from error


def public_line(path: Path) -> str:
    """`type base64`, from the private half: the .pub file may be of another key after a crash.

    ConfigError when the key cannot be read.
    """
    try:
        said = run(("ssh-keygen", "-y", "-P", "", "-f", str(path))).stdout
    except CommandFailed as error:
        raise ConfigError((f"{path}: {error.why}",), next_step="zrep key create") from error
    return " ".join(said.split()[:2])


def fingerprint(path: Path) -> str:
    """`SHA256:...`"""
    said = run(("ssh-keygen", "-l", "-f", "-"), stdin=f"{public_line(path)}\n").stdout
    return said.split()[1]


def switch(key: KeyFile) -> None:
    """The new key takes the place of the one in use, which is kept beside it.

    The .pub file goes first: ssh believes one that is of another key, and is refused; without any
    it looks into the private half.
    """
    with suppress(FileExistsError):
        key.beside(OLD).hardlink_to(key.path)
    key.beside(".pub").unlink(missing_ok=True)
    key.beside(NEXT).replace(key.path)
    write_public(key)


def write_public(key: KeyFile) -> None:
    """Make the .pub file the private one's again."""
    new = key.beside(".pub.new")
    new.write_text(f"{public_line(key.path)} zrep-{key.name}\n")
    new.replace(key.beside(".pub"))
    key.beside(f"{NEXT}.pub").unlink(missing_ok=True)


def forget_old(key: KeyFile) -> None:
    key.beside(OLD).unlink(missing_ok=True)

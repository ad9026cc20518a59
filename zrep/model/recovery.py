"""The recovery sheet's place beside the backups, its files, and how they are written."""

from __future__ import annotations

from zrep.model.key import is_word
from zrep.model.names import DatasetName

# Capitals: no logical host can be called so, and it is the first thing one sees.
RECOVERY = "RECOVERY"
SHEET = "RECOVERY.txt"
CONTENTS = "contents.json"
SUMS = "SHA256SUMS"
CONFIG = "zrep.toml"


def policy_copy(name: str) -> str:
    """The file name of a policy's copy beside the sheet."""
    return f"policy-{name}.toml"


def paper_argv(folder: str, name: str) -> tuple[str, ...]:
    """Writes stdin there. Reads it as it comes: sshd gives a socket, which cannot be opened."""
    return ("dd", f"of={folder}/{name}", "oflag=nofollow", "bs=64K", "status=none")


def is_paper(name: str) -> bool:
    """One of the files that may lie beside a sheet."""
    policy = name.removeprefix("policy-").removesuffix(".toml")
    return name in (SHEET, CONTENTS, SUMS, CONFIG) or (
        is_word(policy) and name == policy_copy(policy)
    )


def recovery_dataset(root: DatasetName, set_name: str) -> DatasetName:
    """One for each set, because two sets may publish at the same time."""
    return root / RECOVERY / set_name

"""Reads the configuration from disk: zrep.toml and the policy directories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zrep.config.build import build_config, meaning_of
from zrep.config.document import Document, Problem, parse_document
from zrep.config.policy import read_policy
from zrep.errors import ConfigError
from zrep.model.key import is_word
from zrep.model.policy import Policy
from zrep.model.source import Config

DEFAULT_PATH = Path("/etc/zrep/zrep.toml")
SITE_POLICIES = Path("/etc/zrep/policies")


def shipped_policies() -> Path:
    """The policies that came with zrep: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_policies"
    return installed if installed.is_dir() else package.parent / "policies"


def load(path: Path, *, policy_dirs: Sequence[Path] | None = None) -> Config:
    """The configuration in `path`; of policies of one name, the one in the first directory counts.

    Without `policy_dirs`, the site's own and then the shipped ones. Raises ConfigError with all
    that is wrong in any of the files.
    """
    dirs = (SITE_POLICIES, shipped_policies()) if policy_dirs is None else policy_dirs
    problems: list[Problem] = []
    documents = {p.stem: read_document(p, problems) for p in find_policies(dirs, problems)}
    policies: dict[str, Policy | None] = {
        name: read_policy(document, name, problems) if document else None
        for name, document in documents.items()
    }
    document = read_document(path, problems)
    config = None
    if document is not None:
        values = {name: d.values for name, d in documents.items() if d is not None}
        meaning = meaning_of(document.values, values)
        config = build_config(document, policies, problems, meaning=meaning)
    if config is None or problems:
        raise ConfigError(tuple(str(p) for p in sorted(problems)), next_step=_next_step(path))
    texts = {name: d.text for name, d in documents.items() if d is not None}
    return replace(config, text=document.text if document else "", policy_texts=texts)


def find_policies(dirs: Sequence[Path], problems: list[Problem]) -> list[Path]:
    """The policy files in force: of each name the one in the first directory that has it."""
    found: dict[str, Path] = {}
    for directory in dirs:
        for path in sorted(directory.glob("*.toml")):
            if not is_word(path.stem):
                problems.append(Problem(str(path), 1, f"{path.stem!r} is no name for a policy"))
            found.setdefault(path.stem, path)
    return list(found.values())


def read_document(path: Path, problems: list[Problem]) -> Document | None:
    text = read_text(path, problems)
    if text is None:
        return None
    # Editors on other systems put a byte order mark in front; it means nothing in TOML.
    parsed = parse_document(text.removeprefix("\ufeff"), str(path))
    if isinstance(parsed, Problem):
        problems.append(parsed)
        return None
    return parsed


def read_text(path: Path, problems: list[Problem], *, lenient: bool = False) -> str | None:
    """The file's text; `lenient` takes bytes that are no UTF-8 as sanoid does, as they come."""
    try:
        raw = path.read_bytes()
        return raw.decode()
    except OSError as error:
        problems.append(Problem(str(path), 1, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        if lenient:
            return raw.decode("latin-1")
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(Problem(str(path), line, "is not UTF-8 text"))
    return None


def _next_step(path: Path) -> str:
    if not path.exists():
        return f"create {path}, or name another file with --config"
    return "correct these lines; zrep config check shows what is still wrong"

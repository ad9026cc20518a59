"""Reads dataset sections from disk: of a sanoid.conf, of zrep.toml, of a policy by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zrep.config.convert import convert
from zrep.config.document import Document, Problem, parse_document
from zrep.config.load import find_policies, read_document, read_text
from zrep.config.sections import Form, Sections, form_of, parse_sections, read_ini
from zrep.errors import ConfigError
from zrep.model.sanoid import Compat


def tables_in(path: Path) -> frozenset[str]:
    """The top-level tables of a file; a sanoid.conf has `dataset`, an unreadable file none."""
    text = read_text(path, [], lenient=True)
    if text is None:
        return frozenset()
    if form_of(path.name, text) is Form.INI:
        return frozenset({"dataset"})
    document = parse_document(text.removeprefix("\ufeff"), str(path))
    return frozenset() if isinstance(document, Problem) else frozenset(document.values)


def load_sections(
    path: Path,
    *,
    policy_dirs: Sequence[Path] = (),
    compat: Compat = Compat.DEFAULT,
    roots: Sequence[str] = ("tank",),
) -> Sections:
    """The dataset sections of a sanoid.conf or a TOML file, with all that is wrong in it.

    Policies in `policy_dirs` serve as templates of a TOML file. A policy file by itself stands for
    sections for `roots`.
    """
    problems: list[Problem] = []
    text = read_text(path, problems, lenient=path.suffix != ".toml")
    if text is None:
        return Sections(file=str(path), form=Form.INI, sections=(), problems=tuple(problems))
    policies: dict[str, Document] = {}
    if form_of(path.name, text) is Form.TOML:
        found = {p.stem: read_document(p, problems) for p in find_policies(policy_dirs, problems)}
        policies = {name: document for name, document in found.items() if document}
    sections = parse_sections(text, str(path), policies, compat, roots=roots)
    return replace(sections, problems=(*sections.problems, *problems))


def convert_file(path: Path, *, force: bool = False) -> tuple[str, tuple[Problem, ...]]:
    """A sanoid.conf as TOML, and remarks about it; ConfigError with all that stands against it."""
    problems: list[Problem] = []
    text = read_text(path, problems, lenient=True)
    converted = convert(text, str(path), force=force) if text is not None else None
    if converted is None or converted.problems:
        found = tuple(map(str, (*problems, *(converted.problems if converted else ()))))
        step = "correct these lines"
        raise ConfigError(found, next_step=step if force else f"{step}, or use --force")
    # What comes out is read once more: it must load, and it stands or falls with the original.
    read = parse_sections(converted.text, f"{path}.toml", {})
    if read.problems:
        raise ConfigError(tuple(f"(as converted) {p}" for p in read.problems))
    return converted.text, read_ini(text or "", str(path)).remarks

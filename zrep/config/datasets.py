"""[dataset."tank/home"] and [template.NAME]: sanoid's sections in TOML, read with care."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shlex import join

from zrep.config import keys
from zrep.config.sanoid_values import PARSERS, template_name
from zrep.config.schema import Section, dotted, suggest
from zrep.config.values import Wrong, dataset
from zrep.model.sanoid import INERT_IN_TEMPLATES, TEMPLATE, Finding, RawSection


def read_sections(
    root: Section, policies: Iterable[str], *, trusting: bool = False
) -> tuple[RawSection, ...]:
    """The sections in file order; what is wrong with them is noted.

    Templates are the file's own, and policies by their names. `trusting` takes the values as they
    are, for comparing with sanoid.
    """
    templates = root.tables("template", keys.SANOID, name=template_name)
    datasets = root.tables("dataset", keys.SANOID, name=str if trusting else section_name)
    if not trusting:
        _check(templates, datasets, policies)
    return (
        *(_raw(TEMPLATE + name, section, is_template=True) for name, section in templates.items()),
        *(_raw(name, section) for name, section in datasets.items()),
    )


def check_sections(root: Section, policies: Iterable[str]) -> None:
    """Note what is wrong with the sections, for who does not work with them."""
    templates = root.tables("template", keys.SANOID, name=template_name)
    datasets = root.tables("dataset", keys.SANOID, name=section_name)
    _check(templates, datasets, policies)


def _check(
    templates: Mapping[str, Section], datasets: Mapping[str, Section], policies: Iterable[str]
) -> None:
    known = {*templates, *policies}
    for section in templates.values():
        _check_template(section)
    for section in datasets.values():
        _check_dataset(section, known)


def section_name(value: object) -> str:
    """A dataset, or a word when the section has a path."""
    name = str(value)
    if name.startswith(TEMPLATE):
        known_as = name.removeprefix(TEMPLATE)
        raise Wrong(f"begins with '{TEMPLATE}': write [template.{known_as}] for a template")
    return str(dataset(name))


def policy_template(name: str, values: Mapping[str, object]) -> RawSection:
    """A policy file's keys as the template of its name."""
    return RawSection(
        name=TEMPLATE + name,
        line=1,
        is_template=True,
        values={key: as_text(key, value) for key, value in values.items()},
    )


def as_text(key: str, value: object) -> str:
    """A value as sanoid.conf writes it: true -> 1, ["a", "b"] -> a, b (or a command line)."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        words = [str(v) for v in value]
        return ", ".join(words) if key == "use_template" else join(words)
    return str(value).strip()


def place(finding: Finding) -> str:
    """How a TOML file names what a finding is about: dataset."tank/a".recursive"""
    is_template = finding.section.startswith(TEMPLATE)
    name = finding.section.removeprefix(TEMPLATE) if is_template else finding.section
    path = ("template" if is_template else "dataset", name)
    return dotted((*path, finding.key) if finding.key else path)


def _check_template(section: Section) -> None:
    for key in section.values:
        if key in INERT_IN_TEMPLATES:
            section.note("has no meaning in a template", key)
        elif key in PARSERS:
            section.get(key, PARSERS[key])


def _check_dataset(section: Section, known: set[str]) -> None:
    read = {key: section.get(key, PARSERS[key]) for key in section.values if key in PARSERS}
    used = read.get("use_template")
    for name in used if isinstance(used, tuple) else ():
        if name not in known and name != "default":
            section.note(f"no template or policy {name!r}{suggest(name, known)}", "use_template")
    takes = read.get("autosnap") is not False
    if takes and read.get("recursive") == "zfs" and read.get("process_children_only"):
        section.note(
            'with recursive = "zfs" would take no snapshot at all, for the children '
            "get theirs only through this dataset",
            "process_children_only",
        )


def _raw(name: str, section: Section, *, is_template: bool = False) -> RawSection:
    lines = {key: section.document.line((*section.path, key)) for key in section.values}
    return RawSection(
        name=name,
        line=section.line,
        is_template=is_template,
        values={key: as_text(key, value) for key, value in section.values.items()},
        lines=lines,
    )

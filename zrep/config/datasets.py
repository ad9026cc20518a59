"""[dataset."tank/home"] sections: sanoid's sections in TOML, checked as such."""

from __future__ import annotations

from collections.abc import Iterable

from zrep.config import keys
from zrep.config.sanoid_values import PARSERS
from zrep.config.schema import Section, suggest
from zrep.config.values import Wrong, dataset, word

_TEMPLATE = "template_"


def section_name(value: object) -> str:
    """A dataset, or `template_` and a word."""
    name = str(value)
    if name.startswith(_TEMPLATE):
        return _TEMPLATE + word(name.removeprefix(_TEMPLATE))
    if name.startswith("template"):
        raise Wrong(f"begins with 'template': write {_TEMPLATE}NAME for a template")
    return str(dataset(name))


def check_datasets(root: Section, policies: Iterable[str]) -> None:
    """Note all that is wrong in the sections; templates are other sections' or policy files."""
    sections = root.tables("dataset", keys.SANOID, name=section_name)
    own = [n.removeprefix(_TEMPLATE) for n in sections if n.startswith(_TEMPLATE)]
    known = {*own, *policies}
    for name, section in sections.items():
        read = {key: section.get(key, PARSERS[key]) for key in section.values if key in PARSERS}
        if name.startswith(_TEMPLATE):
            _check_template(section)
        else:
            _check_templates_used(section, read.get("use_template"), known)
            _check_recursion(section)


def _check_template(section: Section) -> None:
    for key in ("use_template", "recursive", "path"):
        if key in section.values:
            section.note("has no meaning in a template", key)


def _check_templates_used(section: Section, used: object, known: set[str]) -> None:
    for name in used if isinstance(used, tuple) else ():
        if name not in known:
            section.note(f"no template or policy {name!r}{suggest(name, known)}", "use_template")


def _check_recursion(section: Section) -> None:
    if section.values.get("recursive") == "zfs" and section.values.get("process_children_only"):
        section.note(
            'with recursive = "zfs" would take no snapshot at all, for the children '
            "get theirs only through this dataset",
            "process_children_only",
        )

"""A sanoid.conf read with care: each value typed, each accident refused with its line.

What sanoid would start with but takes for something else than it looks is refused; what has no
effect is remarked upon. The sections come out with their values written in the plainest way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from zrep.config.sanoid_text import READERS
from zrep.config.schema import suggest
from zrep.config.values import Wrong
from zrep.model.sanoid import (
    INERT_IN_TEMPLATES,
    TEMPLATE,
    Finding,
    RawSection,
    used_templates,
)


@dataclass(slots=True)
class _Reading:
    """One section while it is read."""

    section: RawSection
    findings: list[Finding] = field(default_factory=list)

    def note(self, key: str | None, text: str, *, refused: bool) -> None:
        line = self.section.line_of(key)
        found = Finding(section=self.section.name, key=key, line=line, text=text, refused=refused)
        self.findings.append(found)


def check_sections(
    sections: Sequence[RawSection],
) -> tuple[tuple[RawSection, ...], tuple[Finding, ...]]:
    """The sections with plain values, and all that is wrong or worth saying, by line."""
    templates = [s.name.removeprefix(TEMPLATE) for s in sections if s.is_template]
    found: list[Finding] = []
    read = []
    for section in sections:
        reading = _Reading(section)
        read.append(_read(reading))
        _check_names(reading, templates)
        found += reading.findings
    return tuple(read), tuple(sorted(found, key=lambda f: f.line))


def _read(reading: _Reading) -> RawSection:
    """The section without what has no effect: inert keys of templates, an empty path."""
    section = reading.section
    values = {}
    for key, text in section.values.items():
        if section.is_template and key in INERT_IN_TEMPLATES:
            reading.note(key, "has no effect in a template", refused=False)
        elif text or key not in {"path", "use_template"}:
            values[key] = _value(reading, key, text)
    for key, line in _repeated(section):
        reading.note(key, f"is given again in line {line}; the first counts", refused=False)
    return replace(section, values=values)


def _value(reading: _Reading, key: str, text: str) -> str:
    try:
        said = READERS[key](text)
    except Wrong as wrong:
        reading.note(key, str(wrong), refused=True)
        return text
    if said.remark:
        reading.note(key, said.remark, refused=False)
    return said.value


def _repeated(section: RawSection) -> Iterator[tuple[str, int]]:
    for key, lines in section.repeated.items():
        for line in lines:
            yield key, line


def _check_names(reading: _Reading, templates: Iterable[str]) -> None:
    section = reading.section
    if section.is_template:
        return
    if section.name.startswith("template"):
        text = (
            "sanoid takes no care of a section whose name begins with 'template'; call it "
            f"otherwise and say path = {section.name}, or template_NAME if it is a template"
        )
        reading.note(None, text, refused=True)
    known = list(templates)
    for name in used_templates(section.values.get("use_template", "")):
        # The user's own [template_default] may be absent: naming it then does nothing.
        if name not in (*known, "default"):
            text = f"there is no [{TEMPLATE}{name}]{suggest(name, known)}"
            reading.note("use_template", text, refused=True)

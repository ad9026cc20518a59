"""The manual page zrep(1), made from the commands themselves when a wheel is built."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence

import click

_AS_IT_IS = "\b"  # click's mark in front of a paragraph that must not be filled


FILES = {
    "/etc/zrep/zrep.toml": "what is backed up and where to",
    "/etc/zrep/policies/*.toml": "how long it is kept, before the policies that ship with zrep",
    "/var/lib/zrep/runs/*.jsonl": "what every run did",
}


def zrep_man() -> str:
    """zrep(1) of this version."""
    from zrep import __version__
    from zrep.cli.main import cli

    return render_man(cli, "zrep", version=__version__, files=FILES)


def render_man(root: click.Command, name: str, *, version: str, files: Mapping[str, str]) -> str:
    """One page in man(7) for `root` and everything below it; hidden commands are left out."""
    context = _context(root, name)
    first, *rest = _paragraphs(root.help)
    lines = (
        f'.TH {name.upper()} 1 "" "{name} {version}" "User Commands"',
        *_section("NAME", (f"{name} \\- {_text(_summary(first))}",)),
        *_section("SYNOPSIS", _usage(context)),
        *_section("DESCRIPTION", _filled([first, *rest])),
        *_section("OPTIONS", _options(context)),
        *_section("COMMANDS", _commands(context)),
        *_section("EXIT STATUS", _filled(_paragraphs(root.epilog))),
        *_section("FILES", _files(files)),
    )
    return "\n".join(lines) + "\n"


def _section(title: str, body: Iterator[str] | Sequence[str]) -> Iterator[str]:
    lines = list(body)
    if lines:
        yield f".SH {title}"
        yield from lines


def _commands(context: click.Context) -> Iterator[str]:
    """Every command with its options, groups before what is in them."""
    group = context.command
    assert isinstance(group, click.Group)  # noqa: S101 - tells the type checker
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = _context(command, name, context)
        yield f'.SS "{_text(inner.command_path)}"'
        yield from _usage(inner)
        yield from _filled(_paragraphs(command.help))
        yield from _options(inner)
        if isinstance(command, click.Group):
            yield from _commands(inner)


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _usage(context: click.Context) -> Iterator[str]:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    yield ".PP"
    yield f".B {_text(context.command_path)}"
    if pieces:
        yield _text(pieces)


def _options(context: click.Context) -> Iterator[str]:
    """What the help says of each; --help itself is told once, on top."""
    parameters = context.command.get_params(context)
    for parameter in parameters[:-1] if context.parent else parameters:
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))


def _files(files: Mapping[str, str]) -> Iterator[str]:
    for path, meaning in files.items():
        yield from (".TP", f".I {_text(path)}", _text(meaning))


def _paragraphs(text: str | None) -> list[str]:
    """The blocks between empty lines; what stands behind a form feed is not for users."""
    plain = inspect.cleandoc((text or "").partition("\f")[0])
    return [block for block in re.split(r"\n\s*\n", plain) if block.strip()]


def _filled(paragraphs: Sequence[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        lines = paragraph.split("\n")
        yield ".PP"
        if lines[0].strip() == _AS_IT_IS:
            yield from (".nf", *map(_text, lines[1:]), ".fi")
        else:
            yield _text(" ".join(line.strip() for line in lines))


def _summary(paragraph: str) -> str:
    return " ".join(paragraph.split()).rstrip(".")


def _text(text: str) -> str:
    r"""One line of text for roff: `.x -n` -> `\&.x \-n`."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped

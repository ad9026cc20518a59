"""The manual page says of every command what --help says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from tests.unit.rows import of_each
from zrep.cli.main import cli
from zrep.cli.man_page import render_man, zrep_man

PAGE = zrep_man()
PLAIN = PAGE.replace("\\-", "-").replace("\\(dq", '"').replace("\\&", "").replace("\\e", "\\")


def commands(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from commands(inner)


EVERY = {c.command_path: c for c in commands(click.Context(cli, info_name="zrep"))}


def section(path: str) -> str:
    found = re.search(rf'^\.SS "{path}"\n(.*?)(?=^\.S[SH] |\Z)', PLAIN, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{path} is missing"
    return found[1]


@of_each(EVERY)
def test_every_command_is_there_with_each_of_its_options_and_examples(path: str) -> None:
    context, text = EVERY[path], section(path)
    for parameter in context.command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            record = parameter.get_help_record(context)
            assert record is not None
            assert f".B {record[0]}\n{record[1]}\n" in text
    examples = (context.command.help or "").partition("Examples:\n")[2]
    assert all(f"  {line.strip()}\n" in text for line in examples.splitlines() if line.strip())


def test_the_page_has_the_sections_that_readers_look_for() -> None:
    titles = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "FILES"]
    assert re.findall(r"^\.SH (.*)$", PAGE, re.MULTILINE) == titles
    assert ".B -h, --help\n" in PLAIN


def test_the_gate_is_not_for_people() -> None:
    assert "zrep gate" not in PLAIN


def test_what_roff_would_take_for_a_request_is_text() -> None:
    @click.command(help='.so /etc/passwd\n\n\'br \\n[x] "a" -n')
    def command() -> None:
        """Never run."""

    group = click.Group("g", commands={"c": command}, help="Do.")
    page = render_man(group, "g", version="1", files={})
    assert "\n\\&.so /etc/passwd\n" in page
    assert "\n\\&'br \\en[x] \\(dqa\\(dq \\-n\n" in page

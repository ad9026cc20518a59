"""Every key and array element of a TOML text is found on the line on which it is written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rows import of_each
from zrep.config.document import Document, Problem, parse_document
from zrep.config.positions import Path, find_positions


def paths(value: object, at: Path = ()) -> Iterator[Path]:
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        yield (*at, key)
        yield from paths(inner, (*at, key))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a = 1\n\n# b = 2\nb = 3", {("a",): 1, ("b",): 4}, id="plain"),
        pytest.param("a = 1\r\nb = 2\r\n", {("a",): 1, ("b",): 2}, id="crlf"),
        pytest.param("\"a.b\" = 1\n'c d' = 2", {("a.b",): 1, ("c d",): 2}, id="quoted"),
        pytest.param('"\\u0061" = 1', {("a",): 1}, id="escaped key"),
        pytest.param('a = """\n[x]\nb = 1\n"""\nc = 1', {("a",): 1, ("c",): 5}, id="multi-line"),
        pytest.param('a = """x\\""" y""""\nc = 1', {("a",): 1, ("c",): 2}, id="quotes in string"),
        pytest.param("a = '''\n'x' # \"\n'''\nc = 1", {("a",): 1, ("c",): 4}, id="literal"),
        pytest.param("a = ''\nb = \"\"\nc = 1", {("a",): 1, ("b",): 2, ("c",): 3}, id="empty"),
        pytest.param(
            "a . b = 1\na.c = 2",
            {("a",): 1, ("a", "b"): 1, ("a", "c"): 2},
            id="dotted keys",
        ),
        pytest.param(
            "\n[t] # x = 1\na = 1\n[t.u]\nb = 2",
            {("t",): 2, ("t", "a"): 3, ("t", "u"): 4, ("t", "u", "b"): 5},
            id="tables",
        ),
        pytest.param(
            "[t.u]\nb = 2\n[t]\na = 1",
            {("t",): 1, ("t", "u"): 1, ("t", "u", "b"): 2, ("t", "a"): 4},
            id="parent after child",
        ),
        pytest.param(
            "[[t]]\na = 1\n[t.u]\nb = 1\n[[t]]\na = 2\n[[t.v]]\nc = 1\n[[t.v]]\nc = 2",
            {
                ("t",): 1,
                ("t", 0): 1,
                ("t", 0, "a"): 2,
                ("t", 0, "u"): 3,
                ("t", 0, "u", "b"): 4,
                ("t", 1): 5,
                ("t", 1, "a"): 6,
                ("t", 1, "v"): 7,
                ("t", 1, "v", 0): 7,
                ("t", 1, "v", 0, "c"): 8,
                ("t", 1, "v", 1): 9,
                ("t", 1, "v", 1, "c"): 10,
            },
            id="arrays of tables",
        ),
        pytest.param(
            "a = [ # ]\n 1, # ,\n\n [2,\n '],'], {b = 3}, ]\nc = 1",
            {
                ("a",): 1,
                ("a", 0): 2,
                ("a", 1): 4,
                ("a", 1, 0): 4,
                ("a", 1, 1): 5,
                ("a", 2): 5,
                ("a", 2, "b"): 5,
                ("c",): 6,
            },
            id="arrays",
        ),
        pytest.param(
            "a = {b.c = 1, d = [\n1], e = {}}\nf = 1979-05-27 07:32:00 # x",
            {
                ("a",): 1,
                ("a", "b"): 1,
                ("a", "b", "c"): 1,
                ("a", "d"): 1,
                ("a", "d", 0): 2,
                ("a", "e"): 2,
                ("f",): 3,
            },
            id="inline tables",
        ),
        pytest.param("", {}, id="nothing"),
        pytest.param("# only a comment", {}, id="comment"),
    ],
)
def test_positions_of_each_way_to_write_a_key(text: str, expected: dict[Path, int]) -> None:
    assert find_positions(text) == expected
    assert set(paths(tomllib.loads(text))) == set(expected)


# -- any document: drawn as values, written in all the ways TOML knows ---------------------------

NAMES = st.text("abc-_.# ]['\"=é", min_size=1, max_size=4)
STRINGS = st.text("ab\n'\"#[]{}=,\\ é", max_size=8)
SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), STRINGS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
TABLES = st.dictionaries(NAMES, VALUES, max_size=5)


def basic(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class Writer:
    """Writes values as TOML in drawn styles, and notes the line of every key as it goes."""

    def __init__(self, draw: st.DrawFn, newline: str) -> None:
        self.draw = draw
        self.newline = newline
        self.text = ""
        self.lines: dict[Path, int] = {}

    def flip(self) -> bool:
        return self.draw(st.booleans())

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def blank(self) -> None:
        if self.flip():
            self.text += f" # x = ] }} ''' {self.newline}" if self.flip() else self.newline

    def key(self, name: str) -> None:
        bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        literal = "'" not in name and self.flip()
        self.text += name if bare and self.flip() else f"'{name}'" if literal else basic(name)

    def string(self, text: str) -> None:
        if self.flip():
            self.text += basic(text)
        else:
            escaped = text.replace("\\", "\\\\").replace('"""', '""\\"')
            tail = "\\" if escaped.endswith('"') else ""
            body = escaped[:-1] + tail + '"' if tail else escaped
            self.text += f'"""{self.newline}{body}"""'

    def value(self, value: object, path: Path) -> None:
        match value:
            case bool():
                self.text += str(value).lower()
            case int():
                self.text += str(value)
            case str():
                self.string(value)
            case list():
                self.array(value, path)
            case dict():
                self.inline(value, path)

    def array(self, items: list[object], path: Path) -> None:
        self.text += "["
        for index, item in enumerate(items):
            self.blank()
            self.note((*path, index))
            self.value(item, (*path, index))
            self.text += "," if index < len(items) - 1 or self.flip() else ""
            self.blank()
        self.text += "]"

    def inline(self, items: dict[str, object], path: Path) -> None:
        self.text += "{"
        for number, (name, item) in enumerate(items.items()):
            self.text += ", " if number else ""
            self.pair(name, item, path)
        self.text += "}"

    def pair(self, name: str, value: object, path: Path) -> None:
        inner = (*path, name)
        self.note(inner)
        self.key(name)
        while isinstance(value, dict) and len(value) == 1 and self.flip():
            [(name, value)] = value.items()
            self.text += " . " if self.flip() else "."
            inner = (*inner, name)
            self.note(inner)
            self.key(name)
        self.text += " = "
        self.value(value, inner)

    def table(self, values: dict[str, object], path: Path) -> None:
        later: list[tuple[str, dict[str, object]]] = []
        for name, value in values.items():
            self.blank()
            if isinstance(value, dict) and self.flip():
                later.append((name, value))
            else:
                self.pair(name, value, path)
                self.text += self.newline
        for name, value in later:
            self.header((*path, name))
            self.table(value, (*path, name))

    def header(self, path: Path) -> None:
        for depth in range(1, len(path) + 1):
            self.note(path[:depth])
        self.text += "["
        for number, name in enumerate(path):
            self.text += " . " if number else ""
            self.key(str(name))
        self.text += "]" + self.newline


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, object], str, dict[Path, int]]:
    values = draw(TABLES)
    writer = Writer(draw, draw(st.sampled_from(["\n", "\r\n"])))
    writer.table(values, ())
    return values, writer.text, writer.lines


@settings(max_examples=40, deadline=None)
@given(written())
def test_every_key_of_any_document_is_found_on_its_line(
    drawn: tuple[dict[str, object], str, dict[Path, int]],
) -> None:
    values, text, lines = drawn
    assert tomllib.loads(text) == values
    assert find_positions(text) == lines


def document(text: str) -> Document:
    parsed = parse_document(text, "zrep.toml")
    assert isinstance(parsed, Document)
    return parsed


def test_a_missing_key_is_reported_at_the_table_that_lacks_it() -> None:
    found = document("a = 1\n\n[t]\nb = 1\n")
    assert found.line(("t", "missing", "deeper")) == 3
    assert found.line(("missing",)) == 1


@of_each(
    [
        ("a = 1\nb = yes\n", "2: column 5: there is no value here; text, durations and "),
        ("a = 30s\n", "1: column 7: the value ends before this; text, durations and "),
        ("a = 007\n", "1: column 6: the value ends before this"),
        ("[tank/a]\n", "1: column 6: the table's name does not end here; names with / "),
        ("a = 1\na = 2\n", "2: column 6: this key has a value already"),
        ("[a]\n[a]\n", "2: column 3: this table is there already"),
        ("a = {b=1,b=2}\n", "1: column 13: this key has a value already"),
        ('a = "x\nb = 1\n', "1: column 7: a quote is opened and not closed in this line"),
        ('a = """x\n\n', "1: a quote is opened and not closed (the file ends here)"),
        ("a = 1\n\nb = [1,\n2\n\n", "4: a list is opened and not closed (the file ends"),
        ('a = "\\d"\n', "1: column 8: a backslash must be doubled"),
        ("a = 1\n= 2\n", "2: column 1: this is neither a key nor a [table]"),
        ("a\n", "1: column 2: there is no = after the key"),
        ("\ufeffa = 1\n", "1: column 1: this is neither a key nor a [table]"),
        ("a = 1\rb = 2", "1: column 6: the value ends before this"),
    ]
)
def test_what_is_not_toml_is_said_with_line_and_column(row: tuple[str, str]) -> None:
    text, expected = row
    problem = parse_document(text, "zrep.toml")
    assert isinstance(problem, Problem)
    assert str(problem).startswith(f"zrep.toml:{expected}")

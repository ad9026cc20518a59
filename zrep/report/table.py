"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def render_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[str] = frozenset()
) -> str:
    """Columns two blanks apart; those named in `right` are right-aligned; no trailing blanks."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]

    def cell(text: str, column: int) -> str:
        return text.rjust(widths[column]) if head[column] in right else text.ljust(widths[column])

    return "\n".join("  ".join(cell(t, i) for i, t in enumerate(row)).rstrip() for row in table)


def size(count: int) -> str:
    """Bytes in binary units with one decimal: 1536 -> 1.5K."""
    value = float(count)
    for unit in ("B", "K", "M", "G", "T", "P"):
        if value < 1024 or unit == "P":
            return f"{value:.0f}{unit}" if unit == "B" else f"{value:.1f}{unit}"
        value /= 1024
    raise AssertionError

"""Typed values out of the tables of a gate's policy file; ValueError names the bad field. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def table_in(value: object, place: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{place}: no such table")


def array_in(table: Mapping[str, object], key: str) -> list[object]:
    value = table.get(key, [])
    if isinstance(value, list):
        return value
    raise ValueError(f"{key}: not an array")


def flag_in(table: Mapping[str, object], key: str) -> bool:
    value = table.get(key, False)
    if isinstance(value, bool):
        return value
    raise ValueError(f"{key}: not true or false: {value!r}")


def text_in(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}: not a text: {value!r}")
    return value

"""What an import makes of each folder and snapshot, as text and as JSON."""

from __future__ import annotations

from collections import Counter

from zrep.model.backup import SourceRecord
from zrep.model.moment import iso
from zrep.planner.import_layout import Adoption, ImportPlan
from zrep.report.files import printable
from zrep.report.table import render_table


def render_import(plan: ImportPlan, *, planned: bool) -> str:
    """The folders, then a line for each snapshot, what is skipped, and the sum."""
    parts = [_folders(plan), _snapshots(plan)] if plan.adoptions else []
    parts += [f"skipped {printable(s.what)}: {s.why}" for s in plan.skipped]
    count, verb = len(plan.adoptions), "would import" if planned else "imported"
    what = f"{verb} {count} snapshots into set {plan.set_name} as {', '.join(plan.classes)}"
    if not count:
        what = "nothing to import"
    return "\n".join((*parts, f"{what}; imported before: {len(plan.already)}"))


def _folders(plan: ImportPlan) -> str:
    found = Counter(r.folder for a in plan.adoptions for r in a.records)
    rows = [
        (
            printable(m.folder),
            str(m.key),
            "" if m.configured else "not configured",
            str(found[m.folder]),
        )
        for m in plan.mapped
    ]
    head = ("FOLDER", "SOURCE", "", "SNAPSHOTS")
    return render_table(head, rows, right=frozenset({"SNAPSHOTS"})) + "\n"


def _snapshots(plan: ImportPlan) -> str:
    rows = [
        (
            str(a.id),
            iso(a.snapshot.creation),
            a.state.value,
            str(sum(r.ok for r in a.records)),
            "; ".join((str(a.snapshot.name), *map(_failed, _bad(a)))),
        )
        for a in plan.adoptions
    ]
    head = ("ID", "MADE", "STATE", "SOURCES", "SNAPSHOT")
    return render_table(head, rows, right=frozenset({"SOURCES"})) + "\n"


def _bad(adoption: Adoption) -> list[SourceRecord]:
    return [r for r in adoption.records if not r.ok]


def _failed(record: SourceRecord) -> str:
    return f"{record.key}: {record.why}"


def import_json(plan: ImportPlan) -> dict[str, object]:
    return {
        "set": plan.set_name,
        "classes": [c.value for c in plan.classes],
        "folders": [
            {"folder": m.folder, "source": str(m.key), "configured": m.configured}
            for m in plan.mapped
        ],
        "imported": [_adoption_json(a) for a in plan.adoptions],
        "already": [str(s.name) for s in plan.already],
        "skipped": [{"what": s.what, "why": s.why} for s in plan.skipped],
    }


def _adoption_json(adoption: Adoption) -> dict[str, object]:
    return {
        "id": str(adoption.id),
        "snapshot": str(adoption.snapshot.name),
        "creation": adoption.snapshot.creation,
        "time": iso(adoption.snapshot.creation),
        "state": adoption.state.value,
        "sources": {str(r.key): r.folder for r in adoption.records if r.ok},
        "failed": [{"source": str(r.key), "why": r.why} for r in _bad(adoption)],
    }

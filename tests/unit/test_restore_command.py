"""zrep restore on the command line: what goes together, who is asked, what the script says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_restore_plan import DB, FIRST, RUN, WEB, at, backup, config
from zrep.cli.main import run
from zrep.cli.restore_command import Consent, _Options
from zrep.engine.restore import Summary
from zrep.engine.restore_record import Keeper, Progressed, Record, Records
from zrep.engine.restore_request import Order, Planned, order_of
from zrep.errors import ConfigError, Exit, Refused, UnknownName, UsageError
from zrep.model.restore import Change, Mode
from zrep.planner.restore import Wish, plan_restore
from zrep.report.restore import record_json, render_records
from zrep.report.restore_script import render_script


def options(**given: object) -> _Options:
    usual: dict[str, object] = {
        "backup": "latest",
        "wanted": (),
        "paths": (),
        "service": None,
        "to": None,
        "replica": None,
        "mode": None,
        "yes": False,
        "resume": False,
        "script": False,
        "listed": False,
        "discard_safety": False,
        "dry_run": False,
        "as_json": False,
    }
    return _Options(**{**usual, **given})  # type: ignore[arg-type]


WRONG: dict[str, dict[str, object]] = {
    "no backup": {"backup": None},
    "two deeds": {"resume": True, "script": True},
    "discarding without an id": {"backup": None, "discard_safety": True},
    "resuming a part": {"resume": True, "service": "web"},
    "discarding a part": {"discard_safety": True, "wanted": ("m/web",)},
    "resuming elsewhere": {"resume": True, "to": "uat"},
    "resuming from elsewhere": {"resume": True, "replica": "offsite"},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_go_together_is_a_usage_error(case: str) -> None:
    with pytest.raises(UsageError):
        options(**WRONG[case]).action()


@pytest.mark.parametrize("case", [{}, {"backup": None, "resume": True}, {"listed": True}])
def test_what_goes_together_is_done(case: dict[str, object]) -> None:
    assert callable(options(**case).action())


def test_an_unknown_mode_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "latest", "--mode", "replace"]) == Exit.USAGE
    assert "'mirror', 'overwrite'" in capsys.readouterr().err


# ---- consent ----------------------------------------------------------------------------------


def planned(wish: Wish) -> Planned:
    plan = plan_restore(config(), backup(), wish, run=RUN)
    return Planned(plan=plan, backup=backup(), order=Order(run=RUN, backup=str(plan.backup)))


def consent(*, deployment: str = "prod", **given: object) -> Consent:
    return Consent(planned(Wish(service=FIRST)), deployment, options(**given))


SUMMARY = Summary(
    changes={item: Change(deleted=7) for item in planned(Wish(service=FIRST)).plan.items}
)


class Terminal:
    """A stdin on which somebody types."""

    def __init__(self, said: str) -> None:
        self.said = said

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return f"{self.said}\n"


@pytest.mark.parametrize(("said", "expected"), [("prod", True), ("yes", False), ("", False)])
def test_whoever_writes_types_what_is_written_to(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: str,
    *,
    expected: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(said))
    monkeypatch.setattr("click.prompt", lambda *_, **__: said)
    assert consent()(SUMMARY) is expected
    assert "7 deleted" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_taken_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Path("/dev/null").open())  # noqa: SIM115 - ends with the test
    with pytest.raises(Refused, match="nobody is there to ask"):
        consent()(SUMMARY)
    assert consent(yes=True)(SUMMARY)


def test_a_dry_run_never_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert consent(dry_run=True, yes=True)(SUMMARY) is False
    assert "7 deleted" in capsys.readouterr().out


# ---- records ----------------------------------------------------------------------------------


def test_a_record_is_what_it_was_after_reading_it_again(tmp_path: Path) -> None:
    records = Records(tmp_path)
    order = Order(run=RUN, backup="x", sources=("m/web",), mode=Mode.MIRROR)
    with Keeper(records, order.record) as keeper:
        keeper.change(step="write m/web")
        keeper.keep("m/web", "folder /x")
        assert order_of(records.unfinished(None)) == order
    assert records.read(RUN).state is Progressed.DONE
    assert records.read(RUN).safety == {"m/web": "folder /x"}
    assert record_json(records.read(RUN))["safety"] == {"m/web": "folder /x"}
    assert "m/web" in render_records(records.all())
    with pytest.raises(Refused, match="is done"):
        records.unfinished(RUN)
    with pytest.raises(UnknownName, match="no restore is unfinished"):
        records.unfinished(None)


def test_whatever_ends_a_restore_is_in_its_record(tmp_path: Path) -> None:
    records = Records(tmp_path)
    with pytest.raises(KeyboardInterrupt), Keeper(records, Record(id=RUN, backup="x")):
        raise KeyboardInterrupt
    assert records.unfinished(RUN).state is Progressed.FAILED
    assert "KeyboardInterrupt" in records.unfinished(RUN).error


def test_two_unfinished_ones_must_be_told_apart(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for name in (RUN, "20260102_040506"):
        records.write(Record(id=name, backup="x"))
    with pytest.raises(UnknownName, match=r"which restore\?: 20260102_040506, 20260102_030405"):
        records.unfinished(None)
    assert records.unfinished(RUN).id == RUN


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": 3}', "{", '{"id":"x","nonsense":1}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    records = Records(tmp_path)
    records.write(Record(id=RUN, backup="x"))
    (records.folder / f"{RUN}.json").write_text(text)
    with pytest.raises(ConfigError, match=f"{RUN}.json"):
        records.read(RUN)
    for name in ("../x", "nothing", "20990101_000000"):
        with pytest.raises(UnknownName):
            records.read(name)


# ---- the script -------------------------------------------------------------------------------

WISHES = {
    "everything": Wish(),
    "a source": Wish(sources=(WEB, DB)),
    "a service": Wish(service=FIRST),
    "a path": Wish(paths=(at("a", "it's [x] $(id)"),)),
    "missing": Wish(paths=(at("a"),), mode=Mode.MISSING_ONLY),
}


def script(name: str, tmp: Path) -> Path:
    made = planned(WISHES[name])
    path = tmp / "script"
    path.write_text(render_script(made.plan, made.backup, config(exclude=("*.tmp",))))
    return path


def test_a_pattern_left_out_is_left_alone_by_the_script_too() -> None:
    made = plan_restore(config(exclude=("*.tmp",)), backup(), Wish(sources=(WEB,)), run=RUN)
    assert "--exclude=*.tmp" in render_script(made, backup(), config())
    assert "--delete-delay" in render_script(made, backup(), config())

"""What a source host answers is read with suspicion: errors name line and field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zrep.errors import AccessRefused, Busy, CommandFailed, CommandTimeout, SourceFailed, ZrepError
from zrep.host.port import Completed
from zrep.source.capsule_json import BadReply, parse_events, parse_probe
from zrep.source.capsules import Capsules

DONE = '{"event":"done","verb":"%s"}'
HOST = '{"event":"host","capsules":"c","config":"d","rsync":"3.4.1","clock":1795434065}'
GOOD_SOURCE = '{"event":"source","set":"p","source":"mail","ok":true,"facts":{}}'
BAD_SOURCE = (
    '{"event":"source","set":"p","source":"mail","ok":false,"code":"not-mounted",'
    '"why":"nothing is mounted on /srv/mail","next":"mount /srv/mail","facts":{}}'
)
LOST = (
    '{"event":"check","source":"etc","ok":false,"code":"gone","why":"gone","next":"again",'
    '"facts":{}}'
)
LEFTOVER = '{"event":"leftover","source":"x","set":"","run":"","volume":"v/x","intact":false}'


@dataclass(frozen=True)
class Answer:
    """The Host port with one answer, as it would come over ssh."""

    stdout: str = ""
    status: int = 0
    stderr: str = ""
    error: ZrepError | None = None
    name: str = "manager-1"

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,  # noqa: ARG002 - the port's
        timeout: float = 60.0,  # noqa: ARG002 - the port's
        ok: Sequence[int] = (0,),
    ) -> Completed:
        if self.error is not None:
            raise self.error
        if self.status not in ok:
            raise CommandFailed(tuple(argv), self.status, self.stderr, where=self.name)
        return Completed(
            argv=tuple(argv), returncode=self.status, stdout=self.stdout, stderr=self.stderr
        )

    def bulk_argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(argv)

    def close(self) -> None:
        """Nothing to drop."""


def probe(*lines: str, **changes: object) -> Capsules:
    text = "".join(f"{line}\n" for line in (*lines, DONE % "probe"))
    return Capsules(Answer(stdout=text, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello\n", "line 1: not JSON"),
        ("[1]\n", "line 1: not an object"),
        (f"{HOST}\n{{\n", "line 2: not JSON"),
        ("x" * 2_000_000, "more than"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_list_of_objects_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadReply, match=why):
        parse_events(text)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"clock": "now"}, "line 1.clock: not a number"),
        ({"clock": True}, "line 1.clock: not a number"),
        ({"clock": None}, "line 1.clock: missing"),
        ({"capsules": 5}, "line 1.capsules: not a text"),
        ({"event": ["host"]}, "line 1.event: not a text"),
    ],
)
def test_a_field_of_another_type_is_named(change: dict[str, object], why: str) -> None:
    line = json.dumps({**json.loads(HOST), **change})
    with pytest.raises(BadReply, match=why):
        parse_probe(parse_events(line))


@given(st.text())
def test_noise_raises_nothing_but_the_expected_error(text: str) -> None:
    try:
        parse_probe(parse_events(text))
    except BadReply:
        return
    raise AssertionError("noise was believed")


def test_control_characters_do_not_reach_the_terminal() -> None:
    line = BAD_SOURCE.replace("nothing is", "\\u001b[2J\\u0007nothing\\nis")
    (source,) = parse_probe(parse_events(f"{HOST}\n{line}")).sources
    assert source.problem is not None
    assert source.problem.why.isprintable()


def test_a_source_that_cannot_be_captured_stops_its_set_only() -> None:
    with pytest.raises(SourceFailed) as caught:
        probe(HOST, BAD_SOURCE).probe(set_name="p")
    error = caught.value
    assert (error.where, error.why) == ("manager-1/mail", "nothing is mounted on /srv/mail")
    assert error.next_step == "mount /srv/mail"
    assert probe(HOST, BAD_SOURCE).probe(set_name="other").sources[0].problem is not None


def test_with_leftovers_the_snapshot_is_the_judge() -> None:
    report = probe(HOST, BAD_SOURCE, LEFTOVER).probe(set_name="p")
    assert [x.volume for x in report.leftovers] == ["v/x"]


def test_an_answer_that_was_cut_off_is_not_believed() -> None:
    cut = Capsules(Answer(stdout=f"{HOST}\n{GOOD_SOURCE}\n"))
    with pytest.raises(SourceFailed, match="did not finish"):
        cut.probe()


def test_the_answer_of_another_verb_is_not_believed() -> None:
    with pytest.raises(SourceFailed, match="did not finish"):
        probe(HOST).release()


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (Answer(status=75, stdout=""), Busy, "capsule probe"),
        (Answer(status=126, stderr="zrep: this key may only say"), AccessRefused, "gate refused"),
        (Answer(status=1, stderr="sudo: a password is required"), SourceFailed, "a password is"),
        (Answer(status=0, stdout="Welcome!\n"), SourceFailed, "line 1: not JSON"),
        (Answer(status=127, stderr="sh: not found"), SourceFailed, "status 127"),
        (
            Answer(error=CommandTimeout("x", where="manager-1")),
            SourceFailed,
            "did not answer within",
        ),
    ],
)
def test_every_way_to_fail_says_what_to_do(answer: Answer, kind: type[ZrepError], why: str) -> None:
    with pytest.raises(kind, match=why) as caught:
        Capsules(answer).probe()
    assert caught.value.where == "manager-1"
    assert caught.value.next_step or kind is Busy


def test_a_check_judges_the_source_it_is_asked_about() -> None:
    lines = (
        '{"event":"check","source":"mail","ok":true,"facts":{"fill":12.5}}',
        LOST,
        DONE % "check",
    )
    capsules = Capsules(Answer(stdout="\n".join(lines)))
    (mail,) = capsules.check(run="r", set_name="p", source="mail")
    assert mail.fill == 12.5
    with pytest.raises(SourceFailed, match="gone"):
        capsules.check(run="r", set_name="p", source="etc")
    with pytest.raises(SourceFailed, match="does not know this source"):
        capsules.check(run="r", set_name="p", source="new")

"""[drill] and the checks of services are read, and what is wrong with them is told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config_files import GOOD, load_text, problems
from zrep.model.drill import Drilling

SECTION = '[drill]\nkey = "/etc/zrep/keys/drill"\nsample = 5\nmax_age = "2w"\n'
CHECK = 'swarm = ["wordpress_web", "wordpress_db"]\n'


def test_what_is_said_is_taken_and_the_rest_is_usual(tmp_path: Path) -> None:
    assert load_text(tmp_path, GOOD).drilling == Drilling()
    found = load_text(tmp_path, f"{GOOD}\n{SECTION}").drilling
    assert found == Drilling(key="/etc/zrep/keys/drill", sample=5, max_age=14 * 86_400)


def test_a_service_has_its_checks(tmp_path: Path) -> None:
    more = f'{CHECK}check = ["/etc/zrep/hooks/a", "/etc/zrep/hooks/b"]\ncheck_timeout = "2m"\n'
    found = load_text(tmp_path, GOOD.replace(CHECK, more)).services["wordpress"]
    assert (found.checks, found.check_timeout) == (("/etc/zrep/hooks/a", "/etc/zrep/hooks/b"), 120)
    usual = load_text(tmp_path, GOOD).services["wordpress"]
    assert (usual.checks, usual.check_timeout) == ((), 600)


def test_the_configuration_keeps_its_own_text(tmp_path: Path) -> None:
    found = load_text(tmp_path, GOOD)
    assert found.text == GOOD
    assert "hourly" in found.policy_texts["production"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{GOOD}\n[drill]\nkey = 'mine'\n", "drill.key: must be an absolute path"),
        (f"{GOOD}\n[drill]\nsample = 9999\n", "drill.sample: must be 0 to 1000"),
        (f"{GOOD}\n[drill]\nmax_age = 35\n", "drill.max_age: must have a unit"),
        (f"{GOOD}\n[drill]\nsamples = 3\n", "unknown key, did you mean sample?"),
        (
            GOOD.replace(CHECK, f'{CHECK}check = "/x"\n'),
            "service.wordpress.check: must be a list",
        ),
        (
            GOOD.replace(CHECK, f'{CHECK}check = ["x"]\n'),
            "service.wordpress.check[0]: must be an absolute path",
        ),
        (
            GOOD.replace(CHECK, f'{CHECK}check_timeout = "1m"\n'),
            "service.wordpress.check_timeout: there is no check",
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    (found,) = problems(tmp_path, text)
    line, _, said = found.partition(": ")
    assert why in said
    assert text.splitlines()[int(line) - 1].split(" ")[0].rstrip("s") in why.replace("[0]", "")

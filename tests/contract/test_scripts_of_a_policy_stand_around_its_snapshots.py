"""Scripts around taking and pruning: what they are told, and what comes of one that fails."""

from __future__ import annotations

from pathlib import Path

from tests.unit.test_policy_runs_on_a_simulated_pool import HOURLY, Counting, hourlies, pools
from zrep.engine.expire import expire
from zrep.engine.progress import Silent
from zrep.engine.take import take


def hooked(folder: Path, **scripts: str) -> str:
    """A section with scripts that write what they were told to files of their own."""
    told = {k: v.format(log=folder / k) for k, v in scripts.items()}
    return f"[tank/a]\n{HOURLY}" + "".join(f"{k} = {v}\n" for k, v in told.items())


TELL = 'env | grep -E "^(SANOID|ZREP)_" | sort > {log}'


def test_scripts_are_told_what_sanoid_tells_them(tmp_path: Path) -> None:
    zfs = Counting()
    text = hooked(tmp_path, pre_snapshot_script=TELL, post_snapshot_script=TELL)
    (name,) = take(pools(zfs, tmp_path, text), Silent()).taken
    before = (tmp_path / "pre_snapshot_script").read_text().splitlines()
    after = (tmp_path / "post_snapshot_script").read_text().splitlines()
    common = {
        "SANOID_TARGET=tank/a",
        "SANOID_TARGETS=tank/a",
        f"SANOID_SNAPNAMES={name.snap}",
        "SANOID_TYPES=hourly",
        f"ZREP_SNAPSHOT={name}",
    }
    assert set(before) == common | {"SANOID_SCRIPT=pre", f"SANOID_SNAPNAME={name.snap}"}
    assert set(after) == common | {
        "SANOID_SCRIPT=post",
        "SANOID_PRE_FAILURE=0",
        f"SANOID_SNAPNAME={name}",  # with the dataset in front, as sanoid has it
    }


def test_a_failed_script_spoils_no_snapshot_unless_asked_to(tmp_path: Path) -> None:
    zfs = Counting()
    text = hooked(tmp_path, pre_snapshot_script="false", post_snapshot_script=TELL)
    assert len(take(pools(zfs, tmp_path, text), Silent()).taken) == 1
    assert not (tmp_path / "post_snapshot_script").exists()


def test_after_a_failed_script_the_last_one_runs_when_forced(tmp_path: Path) -> None:
    text = hooked(tmp_path, pre_snapshot_script="false", post_snapshot_script=TELL)
    text += "force_post_snapshot_script = yes\n"
    take(pools(Counting(), tmp_path, text), Silent())
    assert "SANOID_PRE_FAILURE=1" in (tmp_path / "post_snapshot_script").read_text()


def test_no_inconsistent_snapshot_takes_none_after_a_failed_script(tmp_path: Path) -> None:
    zfs = Counting()
    text = hooked(tmp_path, pre_snapshot_script="false", post_snapshot_script=TELL)
    text += "no_inconsistent_snapshot = yes\nforce_post_snapshot_script = yes\n"
    done = take(pools(zfs, tmp_path, text), Silent())
    assert done.taken == ()
    assert list(done.failed) == ["tank/a"]
    assert not (tmp_path / "post_snapshot_script").exists()


def test_a_script_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    zfs = Counting()
    script = f"(sleep 30; touch {tmp_path}/survived) & echo $! > {tmp_path}/child; wait"
    text = hooked(tmp_path, pre_snapshot_script=script) + "script_timeout = 1\n"
    text += "\n[tank/b]\n" + HOURLY
    done = take(pools(zfs, tmp_path, text), Silent())
    assert {str(n.dataset) for n in done.taken} == {"tank/a", "tank/b"}
    child = int((tmp_path / "child").read_text())
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_pruning_scripts_stand_around_each_snapshot_and_may_save_it(tmp_path: Path) -> None:
    zfs = Counting()
    hourlies(zfs, "tank/a", range(4))
    text = hooked(
        tmp_path,
        pre_pruning_script='test "$SANOID_SNAPNAME" != autosnap_02_hourly',
        pruning_script='echo "$SANOID_SCRIPT $SANOID_SNAPNAME" >> {log}',
    )
    done = expire(pools(zfs, tmp_path, text), Silent())
    assert [n.snap for n in done.outcome.destroyed] == ["autosnap_03_hourly"]
    assert [n.snap for n in done.outcome.failed] == ["autosnap_02_hourly"]
    assert (tmp_path / "pruning_script").read_text() == "prune autosnap_03_hourly\n"

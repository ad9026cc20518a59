"""What the containers of all hosts use now, and what of it no backup would bring back."""

from __future__ import annotations

from functools import partial

from zrep.engine.site import Site
from zrep.errors import Exit, ZrepError
from zrep.frozen import dataclass
from zrep.model.coverage import Uncovered
from zrep.model.mounts import HostMounts
from zrep.planner.coverage import find_uncovered
from zrep.source.capsules import Capsules
from zrep.source.together import together


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """`mounts` of each host that was asked; `errors` of those that did not answer."""

    mounts: dict[str, HostMounts]
    uncovered: tuple[Uncovered, ...]
    errors: dict[str, ZrepError]

    @property
    def status(self) -> Exit:
        """PARTIAL when something is not covered, or not known."""
        return Exit.PARTIAL if self.uncovered or self.errors else Exit.DONE


def observe_coverage(site: Site) -> Coverage:
    """Asks every host of every set; one that fails is told of."""
    sets = site.config.sets.values()
    hosts = sorted({h for s in sets for h in (*s.hosts, *s.paused_hosts)})
    answers = together({h: partial(_ask, site, h) for h in hosts})
    mounts = {h: a for h, a in answers.items() if isinstance(a, HostMounts)}
    errors = {h: a for h, a in answers.items() if isinstance(a, ZrepError)}
    return Coverage(mounts=mounts, uncovered=find_uncovered(site.config, mounts), errors=errors)


def _ask(site: Site, host: str) -> HostMounts | ZrepError:
    try:
        return Capsules(site.source_host(host)).probe().docker
    except ZrepError as error:
        return error

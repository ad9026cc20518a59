"""The keys about those who watch: [monitoring], and `ping` and `max_age` of a set or a replica."""

from __future__ import annotations

import re

from zrep.config.keys import ZREP
from zrep.config.schema import Section
from zrep.config.values import Wrong, absolute_path, address, duration, shown, text
from zrep.model.monitoring import Monitoring, Watch

_MINUTE, _DAY = 60, 86_400
_PATH = r"[!-~]*"


def read_monitoring(root: Section) -> Monitoring:
    section = root.table("monitoring", ZREP["monitoring"])
    usual = Monitoring()
    return Monitoring(
        metrics_dir=section.get_or("metrics_dir", absolute_path, usual.metrics_dir),
        ping_timeout=section.get_or("ping_timeout", duration(1, _MINUTE), usual.ping_timeout),
    )


def read_watch(section: Section) -> Watch:
    """Of one set or replica."""
    usual = Watch()
    return Watch(
        ping=section.get_or("ping", ping_url, usual.ping),
        max_age=section.get_or("max_age", duration(_MINUTE, 3_650 * _DAY), usual.max_age),
    )


def ping_url(value: object) -> str:
    """`https://host[:port][/path]`, without a slash at its end; a password is never shown."""
    found = text(value)
    scheme, _, rest = found.partition("://")
    where, _, path = rest.partition("/")
    if "@" in (where or found):
        raise Wrong("must not hold a user or a password")
    if scheme not in {"http", "https"} or not where:
        raise Wrong(f"must be an https:// or http:// URL, not {shown(found)}")
    if "?" in rest or "#" in rest:
        raise Wrong("must hold no ? and no #: zrep adds words of its own behind it")
    if not re.fullmatch(_PATH, path):
        raise Wrong(f"must be plain ASCII without blanks, not {shown(found)}")
    address(where)
    return found.rstrip("/")

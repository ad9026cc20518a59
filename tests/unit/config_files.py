"""A whole configuration to vary, and loading it as from /etc/zrep."""

from __future__ import annotations

from pathlib import Path

from zrep.config import load
from zrep.errors import ConfigError
from zrep.model.source import Config

POLICIES = Path(__file__).parents[2] / "policies"

GOOD = """\
[target]
dataset = "backup/current"
policy = "production"

[deployment.prod]
hosts = { manager-1 = "10.0.0.11", cassandra-1 = "10.0.0.21", solr-1 = "[fd00::1]:2222" }

[set.platform]
schedule = "0 3 * * *"
quiesce = { docker = true, max_pause = "30s" }
on_partial = "publish"

[set.platform.source.docker]
host = "manager-1"
method = "dir"
path = "/docker"

[set.platform.source.local]
hosts = ["cassandra-1", "solr-1"]
method = "lvm"
volume = "vg_docker_local/lv_docker_local"
path = "/docker_local"

[service.wordpress]
source = "manager-1/docker"
paths = ["var/volumes/wordpress", "etc/wordpress"]
swarm = ["wordpress_web", "wordpress_db"]

[replica.offsite]
host = "offsite.example.org"
dataset = "tank/sbdi"
policy = "offsite"

[dataset."tank/home"]
use_template = "production"
recursive = true
"""


def load_text(folder: Path, text: str, *, policies: Path = POLICIES) -> Config:
    path = folder / "zrep.toml"
    path.write_bytes(text.encode())
    return load(path, policy_dirs=(policies,))


def problems(folder: Path, text: str, *, policies: Path = POLICIES) -> list[str]:
    """What loading the text complains of, as `line: what`; empty when it loads."""
    try:
        load_text(folder, text, policies=policies)
    except ConfigError as error:
        return [
            p.replace(f"{folder}/zrep.toml:", "").replace(f"{folder}/", "") for p in error.problems
        ]
    return []

"""The programs the lab needs on this machine, and how to get them from the distribution."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.host import capture, elevated, logged
from lab.progress import Progress

QEMU = "qemu-system-x86_64"
QEMU_GOOD = (10, 0)
QEMU_LEAST = (8, 2)
BACKPORTS_ENTRY = Path("/etc/apt/sources.list.d/zrep-lab-backports.sources")
ENTRY_HEADER = "# Written by zrep's lab: QEMU of the base release corrupts emulated memory.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program, its Debian package and what the lab does with it."""

    program: str
    package: str
    why: str


TOOLS = (
    Tool(program=QEMU, package="qemu-system-x86", why="runs the nodes"),
    Tool(program="qemu-img", package="qemu-utils", why="makes their disks"),
    Tool(program="vde_switch", package="vde2", why="is the network between the nodes"),
    Tool(program="mmdebstrap", package="mmdebstrap", why="installs Debian into the image"),
    Tool(program="xz", package="xz-utils", why="unpacks the image's kernel modules"),
    Tool(program="mke2fs", package="e2fsprogs", why="makes the image's file system"),
    Tool(program="ssh", package="openssh-client", why="talks to the nodes"),
    Tool(program="setpriv", package="util-linux", why="ends the nodes with their owner"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The distribution on this machine, from os-release."""

    name: str
    codename: str

    @classmethod
    def here(cls) -> "Release":
        pairs = re.findall(
            r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE
        )
        fields = dict(pairs)
        return cls(name=fields.get("ID", "?"), codename=fields.get("VERSION_CODENAME", "?"))


def qemu_version() -> tuple[int, int] | None:
    """Version of the QEMU on the PATH, or None."""
    if shutil.which(QEMU) is None:
        return None
    match = re.search(r"version (\d+)\.(\d+)", capture([QEMU, "--version"]))
    return (int(match[1]), int(match[2])) if match else None


def missing(release: Release) -> list[Tool]:
    """What has to be installed; QEMU counts as missing when the release can give a better one."""
    absent = [tool for tool in TOOLS if shutil.which(tool.program, path=search_path()) is None]
    version = qemu_version()
    if version and version < (QEMU_GOOD if release.name == "debian" else QEMU_LEAST):
        absent += [
            tool for tool in TOOLS if tool.package.startswith("qemu-") and tool not in absent
        ]
    return absent


def search_path() -> str:
    """PATH with the administrator's folders, which users of Debian do not have."""
    return os.environ.get("PATH", "/usr/bin") + ":/usr/sbin:/sbin"


def ensure(progress: Progress, *, log: Path) -> None:
    """Install what is missing; a fraction of a second when nothing is."""
    release = Release.here()
    absent = missing(release)
    if absent:
        _install(progress, release=release, tools=absent, log=log)
    version = qemu_version()
    if version is None or version < QEMU_LEAST:
        raise LabError(
            f"QEMU {version or ''} is too old for the lab",
            hint=f"install QEMU {QEMU_GOOD[0]} or newer",
        )
    if version < QEMU_GOOD:
        progress.say(
            f"WARNING: QEMU {version[0]}.{version[1]}; older ones than 10 have been seen to"
            " corrupt the memory of emulated guests"
        )


def _install(progress: Progress, *, release: Release, tools: Iterable[Tool], log: Path) -> None:
    packages = sorted({tool.package for tool in tools})
    if shutil.which("apt-get") is None:
        raise LabError(
            f"missing on this machine: {', '.join(packages)} (Debian's names)",
            hint="install them, or use a machine with Debian or Ubuntu",
        )
    for tool in tools:
        progress.say(f"to install: {tool.package} (its {tool.program} {tool.why})")
    qemu = [package for package in packages if package.startswith("qemu-")]
    others = [package for package in packages if package not in qemu]
    if release.name != "debian":
        others.append("debian-archive-keyring")
    with progress.step(f"installing {len(packages)} packages", usual=30):
        suite = _backports(release.codename) if qemu and release.codename == "bookworm" else None
        _apt(["update"], log=log)
        _apt_install(others, log=log)
        _apt_install(qemu, log=log, suite=suite)


def _apt_install(packages: list[str], *, log: Path, suite: str | None = None) -> None:
    if packages:
        target = ["-t", suite] if suite else []
        _apt(["install", "-y", "--no-install-recommends", *target, *packages], log=log)


def _apt(words: list[str], *, log: Path) -> None:
    environment = ("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
    options = ("-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3")
    logged(elevated([*environment, "apt-get", *options, *words]), log=log, timeout=900)


def _backports(codename: str) -> str:
    """Make <codename>-backports known to apt, from where the release itself comes from."""
    suite = f"{codename}-backports"
    sources = _apt_sources()
    if not any(suite in source["suites"].split() for source in sources):
        base = next((s for s in sources if codename in s["suites"].split()), None)
        if base is None:
            raise LabError(
                f"no entry for {codename} in apt's sources", hint=f"add {suite} to apt's sources"
            )
        text = backports_entry(base, suite=suite)
        capture(elevated(["sh", "-c", f'printf %s "$1" > {BACKPORTS_ENTRY}', "sh", text]))
    return suite


def _apt_sources() -> list[dict[str, str]]:
    folder = Path("/etc/apt/sources.list.d")
    stanzas = [
        stanza
        for path in sorted(folder.glob("*.sources"))
        for stanza in parse_deb822(path.read_text())
    ]
    for path in (Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))):
        stanzas += parse_one_line(path.read_text()) if path.exists() else []
    return stanzas


def parse_deb822(text: str) -> list[dict[str, str]]:
    """`Types: deb / URIs: U / Suites: a b` -> [{"types": "deb", "uris": "U", "suites": "a b"}]."""
    plain = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    stanzas = [
        dict(re.findall(r"^([\w-]+):[ \t]*((?:.*)(?:\n[ \t]+.*)*)$", block, re.MULTILINE))
        for block in re.split(r"\n[ \t]*\n", plain)
    ]
    named = [{key.lower(): value.strip() for key, value in s.items()} for s in stanzas]
    return [
        stanza
        for stanza in named
        if "deb" in stanza.get("types", "").split()
        and {"uris", "suites"} <= stanza.keys()
        and stanza.get("enabled", "yes") != "no"
    ]


def parse_one_line(text: str) -> list[dict[str, str]]:
    """`deb [signed-by=K] U a main` -> [{"types": "deb", "uris": "U", "suites": "a", ...}]."""
    found = []
    for match in re.finditer(r"^deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
        options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
        stanza = {"types": "deb", "uris": match[2], "suites": match[3]}
        if "signed-by" in options:
            stanza["signed-by"] = options["signed-by"]
        found.append(stanza)
    return found


def backports_entry(base: Mapping[str, str], *, suite: str) -> str:
    """The deb822 entry for `suite` next to the entry `base`."""
    signed = f"Signed-By: {base['signed-by']}\n" if "signed-by" in base else ""
    return (
        f"{ENTRY_HEADER}Types: deb\nURIs: {base['uris']}\nSuites: {suite}\n"
        f"Components: main\n{signed}"
    )

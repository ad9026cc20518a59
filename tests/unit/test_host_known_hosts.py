"""known_hosts is read as OpenSSH reads it."""

from __future__ import annotations

import base64

from tests.unit.rows import of_each
from zrep.host.known_hosts import HostKey, known_keys

ONE = HostKey("ssh-ed25519", b"one")
TWO = HostKey("ssh-ed25519", b"two")
RSA = HostKey("ssh-rsa", b"rsa")


def line(hosts: str, key: HostKey, marker: str = "") -> str:
    return f"{marker} {hosts} {key.kind} {base64.b64encode(key.blob).decode()} comment".strip()


# What `ssh-keygen -H` made of the names `[far.example]:2222` and `far.example`.
HASHED_PORT = "|1|qXpGRfktoiA1aBTFop9pIwMitA8=|kQOTedfCZdRBFjoFhah+dhsWR3M="
HASHED_PLAIN = "|1|/pygD5Uib9xXb1AV/OLtprUMl+w=|OhV2lX72xkbBXpwhF56Qdoytneo="


@of_each(
    [
        ("far", "far", True),
        ("FAR", "far", True),
        ("far", "farther", False),
        ("near,far", "far", True),
        ("[far]:2222", "[far]:2222", True),
        ("[far]:2222", "far", False),
        ("f", "[far]:2222", False),
        ("*.example", "far.example", True),
        ("10.0.0.?", "10.0.0.7", True),
        ("10.0.0.?", "10.0.0.17", False),
        ("*,!far", "far", False),
        ("*,!far", "near", True),
        ("!far", "near", False),
        (HASHED_PORT, "[far.example]:2222", True),
        (HASHED_PORT, "far.example", False),
        (HASHED_PLAIN, "far.example", True),
        ("|1|broken", "far", False),
    ]
)
def test_a_line_speaks_of_the_hosts_its_pattern_names(row: tuple[str, str, bool]) -> None:
    hosts, name, matches = row
    assert known_keys(line(hosts, ONE), (name,)).accepts(ONE) is matches


def test_every_key_of_a_host_is_accepted_while_keys_are_rotated() -> None:
    text = "\n".join((line("far", ONE), line("far", RSA), line("far", TWO)))
    assert known_keys(text, ("far",)).trusted == (ONE, RSA, TWO)


def test_the_plain_name_counts_only_when_the_one_with_the_port_has_no_key() -> None:
    names = ("[far]:2222", "far")
    assert known_keys(line("far", ONE), names).trusted == (ONE,)
    both = "\n".join((line("far", ONE), line("[far]:2222", TWO)))
    assert known_keys(both, names).trusted == (TWO,)


def test_a_revoked_key_is_never_accepted() -> None:
    text = "\n".join((line("far", ONE), line("*", ONE, "@revoked"), line("far", TWO)))
    keys = known_keys(text, ("far",))
    assert (keys.accepts(ONE), keys.accepts(TWO)) == (False, True)


def test_an_authority_is_no_host_key() -> None:
    assert not known_keys(line("far", ONE, "@cert-authority"), ("far",)).accepts(ONE)


def test_lines_that_make_no_sense_are_skipped() -> None:
    text = (
        f"\n# far ssh-ed25519 AAAA\nfar ssh-ed25519\nfar ssh-ed25519 ***\n@\n{line('far', ONE)}\n"
    )
    assert known_keys(text, ("far",)).trusted == (ONE,)


def test_fingerprints_are_those_that_ssh_keygen_prints() -> None:
    blob = base64.b64decode("AAAAC3NzaC1lZDI1NTE5AAAAIDXrCwwcE4V8cK9p6c4dY5oHT1hhVIgRUfipeVK2mpdo")
    assert (
        str(HostKey("ssh-ed25519", blob))
        == "ssh-ed25519 SHA256:hJwY+2tO4w2qMT80fxxYsuItL0uXZF7+GL/mnJ8RZ9A"
    )

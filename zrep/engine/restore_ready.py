"""Is every host what it was taken for, armed for this data, and free? Decided on what they said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zrep.model.restore import Kind, RestorePlan
from zrep.source.restore_capsules import HostLook

# Below this a lease may end before the restore does.
SHORT_LEASE = 600


def not_ready(plan: RestorePlan, looks: Mapping[str, HostLook]) -> Iterator[str]:
    """Why nothing can be written now, in words; of every host and source."""
    for key in plan.keys:
        found = looks[key.host].destinations.get(key.name)
        if found is None:
            yield f"{key}: its host does not know it"
        elif found.problem is not None:
            yield f"{key}: {found.problem.why}"
        elif found.origin != plan.origin:
            yield (
                f"{key}: it is armed for data of {found.origin or 'its own deployment'}, "
                f"not of {plan.origin or 'its own'}"
            )
    for name, look in sorted(looks.items()):
        yield from _wrong_place(plan, name, look)
        if look.halted not in ("", plan.run):
            yield f"{name}: docker is halted by restore {look.halted}"


def _wrong_place(plan: RestorePlan, name: str, look: HostLook) -> Iterator[str]:
    """A name or an address may lead to another machine than the one that was meant."""
    told = bool(plan.origin or look.deployment) and bool(plan.deployment)
    if told and (look.deployment, look.name) != (plan.deployment, name):
        itself = f"{look.name} of {look.deployment}" if look.deployment else "of no deployment"
        yield f"{name}: that machine says it is {itself}, not {name} of {plan.deployment}"


def unscrubbed(plan: RestorePlan) -> Iterator[str]:
    """A warning about data of another deployment that nobody changes."""
    if plan.origin and not plan.of(Kind.SCRUB):
        yield (
            f"nothing is scrubbed: {plan.deployment} will have the URLs, mail addresses and "
            f"secrets of {plan.origin} ([deployment.{plan.deployment}] scrub)"
        )


def short_leases(plan: RestorePlan, looks: Mapping[str, HostLook]) -> Iterator[str]:
    """Warnings about leases that may end too early."""
    for key in plan.keys:
        left = looks[key.host].destinations[key.name].left
        if left < SHORT_LEASE:
            yield f"{key}: its lease ends in {left} s"

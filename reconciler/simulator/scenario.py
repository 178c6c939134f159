"""What is lived through, drawn from a seed: hosts, what commits may bring, how fencing and quorum are set, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from reconciler.controller.quorum.votes import Votequorum
from reconciler.frozen import field, frozen, replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, FencingLevel
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Bundle, Clone, Group, Operation, Primitive, primitives
from reconciler.model.text import integer, is_true
from reconciler.simulator.faults import Fault, Trouble, draw, with_deafness, with_power
from reconciler.simulator.planner import is_simple

NAMES = ("a", "b", "c")
"""The resources of drawn configurations."""
_MOST_INSTANCES = 32
_PROMOTED_MOST = ("promoted-max", "master-max", "masters")
"""The meta-attribute's name, and its former ones."""
_CONTESTED = frozenset({"two-node", "two-node without waiting", "qdevice", "last man standing"})
_REAL_IN = 10
"""One in so many lives asks the real scheduler."""
_VARIED = 0.35
"""So often commits change the options by which a cluster without quorum, and one that has lost a node, goes."""
_RARER = 0.2
"""So often a cluster without quorum goes on as if it had it, or its members fence themselves."""
_WATCHED = 0.5
"""So often hosts have watchdogs, where lost nodes are fenced."""
_SHAPED = 0.5
"""So often what the real scheduler is asked about has groups, clones, and clones that are promoted."""


@frozen
class Scenario:
    """What is lived through: the same scenario always comes to the same. `configurations` are those that commits may bring.

    `toy` tells whether the small planner stands in for the scheduler, `quorum` how the quorum service reckons.
    """

    seed: int
    hosts: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    faults: tuple[Fault, ...]
    toy: bool = False
    quorum: str = "majority"
    watchdogs: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """By host that has a watchdog its timeout, how long it waits for the next process, and the host takes to boot, in milliseconds."""


@frozen
class Verdict:
    """What a life came to: the rule that it broke, if it did, and its story. `steps` counts what nodes were told."""

    scenario: Scenario
    broken: str | None
    story: str = field(repr=False)
    steps: int = 0


def scenario(
    seed: int,
    configurations: Sequence[Configuration] = (),
    hosts: Sequence[str] = (),
    count: int | None = None,
    *,
    toy: bool | None = None,
) -> Scenario:
    """The scenario of a seed: one to five hosts, one to three resources, and some twenty faults; what is given is not drawn.

    Without a word on it the toy planner stands in for the scheduler in nine of ten lives, where the configurations are drawn. In some of
    these options change with a commit: fencing, the policy without quorum, how long lost nodes are waited for, how long a stop may take.
    Where the real scheduler is asked, half of the lives have groups and clones, which may be promoted.
    """
    chance = Random(seed)
    drawn_hosts = tuple(f"n{number}" for number in range(1, 1 + chance.choice((1, 2, 2, 3, 3, 3, 4, 5))))
    options = _options(chance)
    named = tuple(hosts) or drawn_hosts
    drawn = _varied(seed, tuple(_configuration(chance, options) for _ in range(4)))
    if len(named) > 1:
        drawn = _with_rarer_policy(seed, drawn)
    made = tuple(configurations) or drawn
    devices = any(fences((one,)) for one in made)
    faults = draw(chance, named, chance.randint(5, 40) if count is None else count, fencing=devices)
    small = seed % _REAL_IN != 0 and not configurations if toy is None else toy and all(map(is_simple, made))
    if not small and not configurations:
        made = _shaped(seed, made, named)
    quorum = _quorum(chance, len(named))
    if quorum in _CONTESTED:
        # Where both sides are quorate once the other is fenced, a device that lies makes two clusters of one: nobody can tell.
        faults = tuple(fault for fault in faults if fault.trouble is not Trouble.FENCING_LIES)
    lived = Scenario(seed, named, made, with_power(seed, faults), small, quorum)
    return lived if configurations else _watched(lived)


def _watched(lived: Scenario) -> Scenario:
    """In some of the lives in which lost nodes are fenced hosts have watchdogs, and in some of these nothing else. That is drawn apart."""
    chance = Random(f"{lived.seed} watchdogs")
    if chance.random() >= _WATCHED or len(lived.hosts) == 1 or not fences(lived.configurations):
        return lived
    boot_ms = chance.choice((20_000, 300_000))
    times = {
        host: (chance.choice((2_000, 3_000, 6_000)), chance.choice((2_000, 15_000)), boot_ms) for host in lived.hosts
    }
    longest = chance.choice(("-1", "-1", "-1", "-1", "90s", "10s", "0"))
    # Where they do not always count, something that failed would have to be fenced for ever.
    counts = longest in ("-1", "90s") and len(lived.hosts) > 2 and lived.quorum in ("majority", "wait for all")
    alone = counts and not any(_may_begin(one) for one in lived.configurations) and chance.random() < 0.85
    level = (FencingLevel("1", ("power",)), FencingLevel("2", ("watchdog",))) if chance.random() < 0.6 else ()
    levels = tuple(
        replace(one, id=f"{one.id}-{host}", target=host, index=str(number))
        for host in lived.hosts
        for number, one in enumerate(level, 1)
    )
    made = tuple(_with_watchdogs(one, longest, () if alone else levels, alone=alone) for one in lived.configurations)
    slower = chance.choice((1, 3, 6))
    faults = tuple(replace(one, at_ms=one.at_ms * slower) for one in with_deafness(lived.seed, lived.faults))
    return replace(lived, configurations=made, watchdogs=times, faults=faults)


def _may_begin(configuration: Configuration) -> bool:
    """Whether members without quorum may begin something."""
    return any(
        block.values.get("no-quorum-policy") not in ("stop", "fence", "suicide") for block in configuration.options
    )


def _with_watchdogs(
    configuration: Configuration, longest: str, levels: tuple[FencingLevel, ...], *, alone: bool
) -> Configuration:
    options = {name: value for block in configuration.options for name, value in block.values.items()}
    options |= {"stonith-watchdog-timeout": longest, "have-watchdog": "true"}
    resources = tuple(
        one for one in configuration.resources if not (alone and isinstance(one, Primitive) and is_device(one))
    )
    return replace(configuration, options=plain(options), resources=resources, fencing_levels=levels)


def service_of(lived: Scenario) -> Votequorum:
    """The quorum service of a life."""
    votes = dict.fromkeys(lived.hosts, 1)
    match lived.quorum:
        case "two-node":
            return Votequorum.of(votes, two_node=True)
        case "two-node without waiting":
            return Votequorum.of(votes, two_node=True, wait_for_all=False)
        case "wait for all":
            return Votequorum.of(votes, wait_for_all=True)
        case "last man standing":
            return Votequorum.of(votes, wait_for_all=True, last_man_standing=True)
        case "qdevice":
            return Votequorum.of(votes, qdevice_votes=1)
        case _:
            return Votequorum.of(votes)


def _quorum(chance: Random, hosts: int) -> str:
    """Most clusters count votes; the others reckon as their number of nodes allows."""
    special = ["wait for all"]
    if hosts == 2:
        special += ["two-node", "two-node", "two-node without waiting", "qdevice"]
    if hosts == 4:
        special += ["qdevice", "last man standing"]
    if hosts in (3, 5):
        special += ["last man standing"]
    return chance.choice(special) if hosts > 1 and chance.random() < 0.4 else "majority"


def fences(configurations: Sequence[Configuration]) -> bool:
    """Whether lost nodes are fenced under every one of these configurations."""
    return all(
        not any(block.values.get("stonith-enabled") == "false" for block in one.options) for one in configurations
    )


def wanted(configuration: Configuration) -> list[str]:
    """The resources of a configuration, but for its fence devices."""
    return [
        primitive.id
        for resource in configuration.resources
        for primitive in primitives(resource)
        if not is_device(primitive)
    ]


def is_device(primitive: Primitive) -> bool:
    """Whether this is a fence device."""
    return primitive.agent is not None and primitive.agent.standard == "stonith"


def anonymous(configuration: Configuration) -> Iterator[str]:
    """The names of what may run on many hosts at once, as histories have them: instances of clones, and fence devices."""
    yield from (one.id for resource in configuration.resources for one in primitives(resource) if is_device(one))
    for resource in configuration.resources:
        if isinstance(resource, Clone):
            for primitive in primitives(resource):
                yield from (primitive.id, *(f"{primitive.id}:{number}" for number in range(_MOST_INSTANCES)))


def promoted_most(configuration: Configuration) -> Iterator[tuple[str, int]]:
    """How many instances of what may be promoted may be so at once, by the names of the primitives: one, unless something is configured."""
    for resource in configuration.resources:
        match resource:
            case Clone(meta=blocks):
                written = [block.values for block in blocks]
            case Bundle(container_attributes=attributes):
                written = [attributes]
            case _:
                continue
        said = [values[name] for values in written for name in _PROMOTED_MOST if name in values]
        most = max((integer(text, 1) for text in said), default=1)
        yield from ((one.id, most) for one in primitives(resource))


def promotable(configuration: Configuration) -> Iterator[str]:
    """The names of the primitives that are cloned so that they may be promoted, as their clones say."""
    for resource in configuration.resources:
        if isinstance(resource, Clone):
            said = [block.values.get("promotable", "false") for block in resource.meta]
            if resource.legacy_promotable or any(map(is_true, said)):
                yield from (one.id for one in primitives(resource))


def _options(chance: Random) -> dict[str, str]:
    """The options of a life: in most they stay the same from the first commit on."""
    policy = chance.choice(("stop", "stop", "stop", "stop", "stop", "demote", "freeze"))
    fencing = chance.random() < 0.5
    action = chance.choice(("reboot", "reboot", "off"))
    return {
        "stonith-enabled": "true" if fencing else "false",
        "stonith-action": action,
        "no-quorum-policy": policy,
        "start-failure-is-fatal": "false",
    }


def _varied(seed: int, drawn: tuple[Configuration, ...]) -> tuple[Configuration, ...]:
    """In some lives each commit has options of its own. They are drawn apart: the other lives stay what they are."""
    chance = Random(f"{seed} options")
    return tuple(_vary(chance, one) for one in drawn) if chance.random() < _VARIED else drawn


def _vary(chance: Random, configuration: Configuration) -> Configuration:
    """The same resources under other options."""
    options = {name: value for block in configuration.options for name, value in block.values.items()}
    options["no-quorum-policy"] = chance.choice(("stop", "stop", "demote", "freeze", options["no-quorum-policy"]))
    if chance.random() < 0.3:
        options["stonith-enabled"] = "false" if options["stonith-enabled"] == "true" else "true"
    if chance.random() < 0.2:
        options["lost-node-grace"] = chance.choice(("45s", "90s"))
    resources = tuple(
        _with_stop(chance, one) for one in configuration.resources if isinstance(one, Primitive) and not is_device(one)
    )
    return _with_options(options, resources)


def _with_rarer_policy(seed: int, drawn: tuple[Configuration, ...]) -> tuple[Configuration, ...]:
    """In some lives the policy without quorum is to go on, or that members fence themselves. That is drawn apart, too."""
    chance = Random(f"{seed} policy")
    if chance.random() >= _RARER:
        return drawn
    policy = chance.choice(("ignore", "ignore", "fence", "suicide"))
    grace = chance.choice((None, "30s", "60s")) if policy == "ignore" else None
    always = chance.random() < 0.7
    return tuple(_with_policy(one, policy, grace) if always or chance.random() < 0.5 else one for one in drawn)


def _with_policy(configuration: Configuration, policy: str, grace: str | None) -> Configuration:
    options = {name: value for block in configuration.options for name, value in block.values.items()}
    options["no-quorum-policy"] = policy
    if grace is not None:
        options.setdefault("lost-node-grace", grace)
    return replace(configuration, options=plain(options))


def _shaped(seed: int, drawn: tuple[Configuration, ...], hosts: Sequence[str]) -> tuple[Configuration, ...]:
    """In some lives what is configured is a group, or is cloned, and may be promoted; each name is the same in all commits."""
    chance = Random(f"{seed} shapes")
    if chance.random() >= _SHAPED:
        return drawn
    shapes = {name: chance.choice(("plain", "clone", "promotable", "promotable")) for name in NAMES}
    grouped = chance.random() < 0.4
    return tuple(_shape(chance, one, shapes, hosts, grouped=grouped) for one in drawn)


def _shape(
    chance: Random, configuration: Configuration, shapes: Mapping[str, str], hosts: Sequence[str], *, grouped: bool
) -> Configuration:
    devices = tuple(one for one in configuration.resources if isinstance(one, Primitive) and is_device(one))
    plainly = tuple(one for one in configuration.resources if isinstance(one, Primitive) and not is_device(one))
    of_group = plainly[1:] if grouped else ()
    group = (Group("site", of_group),) if of_group else ()
    made = tuple(_shape_one(chance, one, shapes[one.id]) for one in plainly if one not in of_group)
    likes = tuple(
        Location(
            f"{one.id}-{host}", resource=one.id, node=host, score=str(chance.choice((10, 50, 100))), role="Promoted"
        )
        for one in made
        if isinstance(one, Clone) and shapes[one.resource.id] == "promotable"
        for host in hosts
    )
    return replace(configuration, resources=(*devices, *made, *group), constraints=likes)


def _shape_one(chance: Random, primitive: Primitive, shape: str) -> Primitive | Clone:
    if shape == "plain":
        return primitive
    meta = {"clone-max": "2"} if chance.random() < 0.3 else {}
    if shape == "promotable":
        meta |= {"promotable": "true", "promoted-max": chance.choice(("1", "1", "1", "2"))}
        promoted = Operation("monitor", "11s", attributes={"role": "Promoted"})
        primitive = replace(primitive, operations=(*primitive.operations, promoted))
    return Clone(f"{primitive.id}-clone", primitive, meta=plain(meta))


def _with_stop(chance: Random, primitive: Primitive) -> Primitive:
    timeout = chance.choice((None, None, "10s", "35s"))
    stop = () if timeout is None else (Operation("stop", "0", attributes={"timeout": timeout}),)
    return replace(primitive, operations=(*primitive.operations, *stop))


def _configuration(chance: Random, options: dict[str, str]) -> Configuration:
    agent = Agent("ocf", "Dummy", "reconciler")
    resources = tuple(
        Primitive(
            name,
            agent,
            params=plain({"value": str(chance.randint(1, 2))}),
            operations=(Operation("monitor", "10s"),),
        )
        for name in NAMES[: chance.randint(1, 3)]
    )
    return _with_options(options, resources)


def _with_options(options: dict[str, str], resources: tuple[Primitive, ...]) -> Configuration:
    """A configuration with a fence device where lost nodes are fenced."""
    devices = (Primitive("power", Agent("stonith", "fence_lab")),) if options["stonith-enabled"] == "true" else ()
    return Configuration(options=plain(options), resources=(*devices, *resources))

"""How long a node takes at most to stop what it runs, and what of it has to stop one after the other.

Stops follow each other where an order or a group says so. How they would, nobody has to know: what is tied together, by whatever order
in whatever direction, counts as if each of it waited for all the others. That is cheap, the same on every member, and never too short.
Source: the design of the cluster, "Quorum"; Pacemaker Explained, "Ordering", "Groups", "Clones", "Resource Operations".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from reconciler.cib import Cib
from reconciler.cib.departing import whole
from reconciler.cib.departing_orders import mentioned
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.duration import DEFAULT_TIMEOUT_MS, timeout_ms
from reconciler.model.resource import Bundle, Clone, Group, Operation, Primitive, Resource, primitives
from reconciler.model.text import integer, is_true

_NOTIFIED = 3
"""Of a stop that is notified, the notifications that come before it is over: before and after the demotion, and before the stop."""
_IMPLIED = ("stop of the container", "stop of the address", "stop of the connection")
"""What a bundle has to stop beside its primitive."""
_AT_ONCE = 16
"""A node calls at least so many agents at once, unless it is configured otherwise; the others wait their turn."""


def stopping_ms(cib: Cib, *, busy: bool) -> int:
    """How long a node that has this configuration may take to stop all that it runs, by itself or by a plan.

    Each step takes no longer than the longest one, and all that may be done at once is. Where the node is `busy`, having been ordered
    something that it has not ended, its stops may have to wait for that first; for what recurs no stop waits then.
    """
    configuration = whole(cib).configuration
    steps = _steps(configuration, nodes=max(1, len(cib.status.nodes)))
    chains = chains_of(configuration)
    lengths: dict[str, int] = {}
    for name, count in steps.items():
        length_of = chains.get(name, name)
        lengths[length_of] = lengths.get(length_of, 0) + count
    longest, total = max(lengths.values(), default=1), sum(lengths.values())
    at_once = _at_once(configuration)
    waiting = -(-(total - longest) // at_once) if total > at_once else 0
    before_ms = _underway_ms(configuration) if busy else 0
    return before_ms + (longest + waiting) * longest_stop_ms(configuration)


def longest_stop_ms(configuration: Configuration) -> int:
    """The longest timeout of any operation of which a stop may consist."""
    default_ms = _default_ms(configuration)
    longest = {
        timeout
        for resource in configuration.resources
        for tasks in [_stopping(configuration, resource)]
        for primitive in primitives(resource)
        for timeout in _timeouts_ms(configuration, primitive, tasks, default_ms)
    }
    return max(longest, default=default_ms)


def _underway_ms(configuration: Configuration) -> int:
    """The longest timeout of any operation that a node may have been ordered."""
    default_ms = _default_ms(configuration)
    given = [
        _timeout_ms(operation, default_ms)
        for resource in configuration.resources
        for primitive in primitives(resource)
        for operation in _operations(configuration, primitive)
    ]
    return max([default_ms, *given])


def chains_of(configuration: Configuration) -> Mapping[str, str]:
    """By resource, and by primitive, a name that all have in common that may have to wait for each other; none for who waits for nobody."""
    tied = _Tied()
    for resource in configuration.resources:
        if not isinstance(resource, Primitive):
            tied.tie(_names(resource))
    orders = [one for one in configuration.constraints if isinstance(one, Order)]
    if orders:
        stand_for = _stand_for(configuration)
        for order in orders:
            tied.tie(name for one in sorted(mentioned(order)) for name in (one, *stand_for.get(one, ())))
    return tied.all()


class _Tied:
    """Names that belong together, whoever tied them."""

    def __init__(self) -> None:
        self._next: dict[str, str] = {}

    def tie(self, names: Iterable[str]) -> None:
        """All these belong together from now on."""
        first: str | None = None
        for name in names:
            root = self._root(name)
            if first is None:
                first = root
            else:
                self._next[root] = first

    def all(self) -> dict[str, str]:
        """By name the one that stands for all it belongs to."""
        return {name: self._root(name) for name in self._next}

    def _root(self, name: str) -> str:
        above = self._next.setdefault(name, name)
        while above != name:
            self._next[name] = self._next[above]  # The way is halved for whoever asks next.
            name, above = above, self._next[above]
        return name


def _names(resource: Resource) -> Iterator[str]:
    """All names under which a resource may stand in a constraint."""
    yield resource.id
    if isinstance(resource, Clone):
        yield resource.resource.id
    yield from (one.id for one in primitives(resource))


def _stand_for(configuration: Configuration) -> Mapping[str, tuple[str, ...]]:
    """The names in constraints that stand for several resources: tags, and templates."""
    stand_for = {tag.id: tag.references for tag in configuration.tags}
    for template in configuration.templates:
        users = (
            one.id
            for resource in configuration.resources
            for one in primitives(resource)
            if one.template == template.id
        )
        stand_for[template.id] = (*stand_for.get(template.id, ()), *users)
    return stand_for


def _steps(configuration: Configuration, nodes: int) -> Mapping[str, int]:
    """By primitive (by bundle, where that has none) how many operations one after the other its stop may take."""
    steps: dict[str, int] = {}
    for resource in configuration.resources:
        each = _each(configuration, resource, nodes)
        steps |= dict.fromkeys([one.id for one in primitives(resource)] or [resource.id], each)
    return steps


def _each(configuration: Configuration, resource: Resource, nodes: int) -> int:
    """How many operations the stop of each of a resource's primitives may take."""
    match resource:
        case Primitive() | Group():
            return 1
        case Bundle():
            in_turn = max(1, integer(resource.container_attributes.get("replicas-per-host"), 1))
            return in_turn * len(_stopping(configuration, resource))
        case Clone():
            said = _CloneMeta(configuration, resource)
            on_one = max(1, said.most("clone-node-max", 1))
            # Instances of an ordered clone stop one after the other, wherever they are.
            in_turn = max(on_one, said.most("clone-max", nodes * on_one)) if said.any("ordered") else on_one
            tasks = _stopping(configuration, resource)
            return in_turn * (len(tasks) + (_NOTIFIED - 1 if "notify" in tasks else 0))


def _stopping(configuration: Configuration, resource: Resource) -> tuple[str, ...]:
    """The operations of which the stop of each of a resource's primitives may consist."""
    match resource:
        case Primitive() | Group():
            return ("stop",)
        case Bundle():
            return (*_IMPLIED, *(("demote",) if "promoted-max" in resource.container_attributes else ()), "stop")
        case Clone():
            said = _CloneMeta(configuration, resource)
            promotable = ("demote",) if resource.legacy_promotable or said.any("promotable") else ()
            return (*promotable, *(("notify",) if said.any("notify") else ()), "stop")


class _CloneMeta:
    """What may be said of a clone, by whatever rules: its own meta-attributes, those inside, and the defaults."""

    def __init__(self, configuration: Configuration, clone: Clone) -> None:
        inside = (clone.resource, *primitives(clone))
        blocks: AttributeBlocks = (*clone.meta, *configuration.defaults.resources)
        self._values = [clone.extra, *(block.values for block in blocks)]
        for one in inside:
            self._values += [one.extra, *(block.values for block in one.meta)]

    def any(self, name: str) -> bool:
        """Whether it may be so."""
        return any(is_true(values.get(name)) for values in self._values)

    def most(self, name: str, default: int) -> int:
        """The highest number that may count."""
        return max([default, *(integer(values[name], default) for values in self._values if name in values)])


def _at_once(configuration: Configuration) -> int:
    """How much is done at once: so many agents a node calls at least, and so many actions a plan launches."""
    blocks = configuration.options
    limits = [integer(block.values["batch-limit"], 0) for block in blocks if "batch-limit" in block.values]
    return min([_AT_ONCE, *(limit for limit in limits if limit > 0)])


def _timeouts_ms(
    configuration: Configuration, primitive: Primitive, tasks: tuple[str, ...], default_ms: int
) -> Iterator[int]:
    """The timeouts that some operations of a primitive may have; the default for one that is not configured."""
    missing = set(tasks)
    for operation in _operations(configuration, primitive):
        name = operation.name.lower()
        if name in tasks:
            missing.discard(name)
            yield _timeout_ms(operation, default_ms)
    if missing:
        yield default_ms


def _operations(configuration: Configuration, primitive: Primitive) -> tuple[Operation, ...]:
    """The operations of a primitive, and those of its template."""
    if primitive.template is None:
        return primitive.operations
    inherited = (one.operations for one in configuration.templates if one.id == primitive.template)
    return (*primitive.operations, *chain.from_iterable(inherited))


def _timeout_ms(operation: Operation, default_ms: int) -> int:
    """The longest timeout that an operation may have, whichever rules pass."""
    if "timeout" in operation.attributes:
        return timeout_ms(operation.attributes["timeout"])
    return _longest_of(operation.meta, default_ms)


def _default_ms(configuration: Configuration) -> int:
    """The longest timeout that an operation may have of which nothing is said."""
    return _longest_of(configuration.defaults.operations, DEFAULT_TIMEOUT_MS)


def _longest_of(blocks: AttributeBlocks, otherwise_ms: int) -> int:
    """The longest timeout that any of these blocks says; and what holds otherwise, unless one of them always applies."""
    saying = [block for block in blocks if "timeout" in block.values]
    said = [timeout_ms(block.values["timeout"]) for block in saying]
    return max(said) if any(not block.rules for block in saying) else max([otherwise_ms, *said])

"""What the checks ask of a configuration: what exists under a name, what a reference stands for, what is certain.

Certain is what holds whatever the rules, the date and the node attributes say; a check that can't be certain says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from reconciler.errors import Finding, Place, Severity
from reconciler.language.reading.files import Draft
from reconciler.language.text.findings import Findings
from reconciler.language.text.nearest import Names
from reconciler.model import score
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address
from reconciler.model.pattern import PatternError, compile_pattern
from reconciler.model.resource import Agent, Bundle, Clone, Group, Primitive, Resource, Template
from reconciler.model.text import boolean


class ResourceItem:
    """One resource with its place in the whole: what holds it, what it holds, and its address."""

    __slots__ = ("address", "children", "id", "parent", "resource")

    def __init__(self, resource: Resource, address: Address, parent: ResourceItem | None) -> None:
        self.id = resource.id
        self.resource = resource
        self.address = address
        self.parent = parent
        self.children: list[ResourceItem] = []

    @property
    def top(self) -> ResourceItem:
        """The outermost resource around this one."""
        item = self
        while item.parent is not None:
            item = item.parent
        return item

    @property
    def repeated(self) -> bool:
        """Whether it runs in several instances: it is a clone or bundle, or inside one."""
        return isinstance(self.top.resource, Clone | Bundle)

    def leaves(self) -> Iterator[ResourceItem]:
        """The primitives in it, itself if it is one."""
        if isinstance(self.resource, Primitive):
            yield self
        for child in self.children:
            yield from child.leaves()


class Facts:
    """A draft with everything that checks look up, each found once."""

    def __init__(self, draft: Draft, findings: Findings) -> None:
        self.draft = draft
        self.configuration = draft.configuration
        self.index = draft.index
        self.findings = findings
        self.templates: dict[str, Template] = {template.id: template for template in self.configuration.templates}
        self.tags = {tag.id: tag.references for tag in self.configuration.tags}
        self.patterns_tried = True
        """Whether patterns are tried on names: not when that would take too long."""
        self.pairs_judged = True
        """Whether colocations and orders are judged pair by pair: not when there are too many pairs."""
        self.items: dict[str, ResourceItem] = {}
        for resource in self.configuration.resources:
            self._add(resource, None)

    def _add(self, resource: Resource, parent: ResourceItem | None) -> ResourceItem:
        item = ResourceItem(resource, self._address(resource), parent)
        self.items.setdefault(resource.id, item)
        match resource:
            case Group(_, members):
                item.children = [self._add(member, item) for member in members]
            case Clone(_, held):
                item.children = [self._add(held, item)]
            case Bundle() if resource.primitive is not None:
                item.children = [self._add(resource.primitive, item)]
        return item

    def _address(self, resource: Resource) -> Address:
        match resource:
            case Group():
                return "groups", resource.id
            case Clone():
                return "clones", resource.id
            case Bundle():
                return "bundles", resource.id
        device: Address = ("fencing", "devices", resource.id)
        return device if device in self.index.keys else ("primitives", resource.id)

    def error(self, code: str, place: Place, text: str, hint: str = "") -> None:
        """Report what refuses the configuration."""
        self.findings.add(Finding(code, place, text, hint))

    def warning(self, code: str, place: Place, text: str, hint: str = "") -> None:
        """Report what is accepted but probably not meant."""
        self.findings.add(Finding(code, place, text, hint, Severity.WARNING))

    def top_items(self) -> Iterator[ResourceItem]:
        """The resources that nothing else holds."""
        return (item for item in self.items.values() if item.parent is None)

    def primitives(self) -> Iterator[tuple[ResourceItem, Primitive]]:
        """Every primitive, devices and members included."""
        return ((item, item.resource) for item in self.items.values() if isinstance(item.resource, Primitive))

    def agent(self, primitive: Primitive) -> Agent | None:
        """The agent of a primitive, from its template if need be; None when the template is unknown."""
        template = self.templates.get(primitive.template or "")
        return primitive.agent or (None if template is None else template.agent)

    def expand(self, name: str) -> tuple[str, ...]:
        """The resources that a name in a constraint stands for: itself, a template's users, or the resources that a tag names.

        What a tag holds is taken as it is, as by Pacemaker: a tag or template inside of it stands for nothing.
        """
        if name in self.items:
            return (name,)
        if name in self.templates:
            return tuple(item.id for item, primitive in self.primitives() if primitive.template == name)
        return tuple(one for one in self.tags.get(name, ()) if one in self.items)

    def matching(self, pattern: str) -> tuple[str, ...]:
        """The top-level resources whose names a pattern matches; none when it is no pattern, or none may be tried."""
        if not self.patterns_tried:
            return ()
        try:
            found = compile_pattern(pattern.removeprefix("!"))
        except PatternError:
            return ()
        inverted = pattern.startswith("!")
        return tuple(item.id for item in self.top_items() if found.occurs_in(item.id) is not inverted)

    @cached_property
    def referable(self) -> Names:
        """Whatever a constraint may name."""
        return Names((*self.items, *self.templates, *self.tags))

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The full members that the configuration names, by name."""
        return tuple(node.name for node in self.configuration.nodes if (node.type or "member").lower() == "member")

    @cached_property
    def candidates(self) -> tuple[str, ...]:
        """The nodes on which resources can run: full members, remote nodes and guest nodes, each once."""
        names = dict.fromkeys(self.nodes)
        names |= dict.fromkeys(node.name for node in self.configuration.nodes if (node.type or "").lower() == "remote")
        for item, primitive in self.primitives():
            agent = self.agent(primitive)
            if agent is not None and (agent.provider, agent.type) == ("pacemaker", "remote"):
                names[item.id] = None
            names |= dict.fromkeys(
                block.values["remote-node"] for block in primitive.meta if "remote-node" in block.values
            )
        return tuple(names)

    @cached_property
    def node_names(self) -> frozenset[str]:
        """Every node that may exist: named ones, remote and guest nodes, and those of bundles."""
        names = {*self.candidates, *(node.name for node in self.configuration.nodes)}
        for item in self.top_items():
            if isinstance(item.resource, Bundle):
                names.update(f"{item.id}-{number}" for number in range(_replicas(item.resource)))
        return frozenset(names)

    @cached_property
    def nodes_by_name(self) -> Names:
        """The same, to hold unknown names against."""
        return Names(self.node_names)

    @cached_property
    def folded_node_names(self) -> frozenset[str]:
        """The names of nodes in lower case, as they are compared."""
        return frozenset(name.lower() for name in self.node_names)

    @property
    def nodes_known(self) -> bool:
        """Whether the configuration names its members; if not, they are whoever joins."""
        return bool(self.nodes)

    def option(self, name: str, default: str) -> str:
        """A cluster option as far as it is certain; the default when it is not given."""
        value = certain(self.configuration.options, name)
        return default if value is None else value

    def enabled(self, name: str, *, default: bool) -> bool:
        """A boolean cluster option."""
        value = boolean(self.option(name, str(default).lower()))
        return default if value is None else value

    def meta(self, item: ResourceItem, name: str) -> str | None:
        """A meta-attribute in force for a resource, as far as it is certain: its own, its template's, its holders', the default."""
        for blocks in self.meta_blocks(item):
            if any(name in block.values for block in blocks):
                return certain(blocks, name)
        return None

    def meta_blocks(self, item: ResourceItem) -> Iterator[AttributeBlocks]:
        """The blocks that say the meta-attributes of a resource, those that win first."""
        at: ResourceItem | None = item
        while at is not None:
            yield at.resource.meta
            if isinstance(at.resource, Primitive) and at.resource.template in self.templates:
                yield self.templates[at.resource.template].meta
            at = at.parent
        yield self.configuration.defaults.resources

    def value_place(self, base: Address, number: int, *spellings: str) -> Place:
        """Where a value of a block was written, under one of its spellings; `number` is the block's among those of `base`."""
        places = (((*base, name), (*base, str(number), "values", name)) for name in spellings)
        return self.index.value(*(address for pair in places for address in pair))

    def name_place(self, base: Address, number: int, name: str) -> Place:
        """Where the name of a value of a block was written."""
        return self.index.key((*base, name), (*base, str(number), "values", name))


def _replicas(bundle: Bundle) -> int:
    """How many containers a bundle has at most."""
    attributes = bundle.container_attributes
    text = attributes.get("replicas") or attributes.get("promoted-max") or "1"
    return max(int(text), 1) if text.isdecimal() and len(text) < 5 else 1


def certain(blocks: AttributeBlocks, name: str) -> str | None:
    """The value that blocks give a name whatever their rules say; None when it is not given or depends on a rule."""
    best: tuple[int, str] | None = None
    for block in blocks:
        if name not in block.values:
            continue
        if block.rules:
            return None
        rank = score.read(block.score)
        if best is None or rank >= best[0]:
            best = (rank, block.values[name])
    return None if best is None else best[1]


def mentioned(blocks: AttributeBlocks, name: str) -> bool:
    """Whether any block sets a name."""
    return any(name in block.values for block in blocks)

"""Any configuration that the language can say, drawn from a seed: every kind of part, texts of every sort, unique names.

References need not exist: this is what the reader can say about the parts, not about the whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

from reconciler.model.attributes import AttributeBlock, Defaults, encode_secret
from reconciler.model.cluster import (
    AclPermission,
    AclRole,
    AclTarget,
    Alert,
    AlertRecipient,
    AlertSelect,
    Configuration,
    FencingLevel,
    NodeDefinition,
    Tag,
)
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.keys import keys_of
from reconciler.model.resource import (
    Agent,
    Bundle,
    BundleNetwork,
    Clone,
    Group,
    Operation,
    PortMapping,
    Primitive,
    Resource,
    StorageMapping,
    Template,
)
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.model.settings import DATE_SPEC_FIELDS, DURATION_FIELDS

T = TypeVar("T")

ODD_TEXTS = (
    "",
    "yes",
    "NO",
    "true",
    "1.10",
    "010",
    "1:30",
    "0x1F",
    "~",
    "null",
    "- a",
    "a: b",
    "a #b",
    "x\ny",
    "x\ny\n",
    "\nx",
    " x",
    "x ",
    "'",
    '"',
    "'\"",
    "{",
    "[a",
    "param:x",
    "a,b",
    "é ü",
    "2026-01-01",
    "=",
    "<<",
    "!t",
    "&a",
    "*a",
    "%x",
    "@x",
    "`",
    "\u2028",
    "a\tb",
    "😀",
    "1_000",
    ".inf",
    "+5",
    "1e3",
    "?",
    "-",
    ":",
    "#",
    "a" * 200,
    "string",
    "and",
)


class Draw:
    """Draws parts of a configuration from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def name(self, prefix: str = "n") -> str:
        """A name that nothing else has."""
        self.count += 1
        return f"{prefix}{self.random.choice('zay')}{self.count}{self.random.choice(['', '-x', '.y', '_Z'])}"

    def text(self) -> str:
        return self.random.choice(ODD_TEXTS) if self.random.random() < 0.5 else self.name("t")

    def maybe(self, make: Callable[[], T], chance: float = 0.4) -> T | None:
        return make() if self.random.random() < chance else None

    def pick(self, *choices: T) -> T:
        return self.random.choice(choices)

    def several(self, make: Callable[[], T], most: int = 2, least: int = 0) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.random.randint(least, most)))

    def pairs(self, *names: str, secrets: bool = False, most: int = 3) -> dict[str, str]:
        chosen = [
            self.pick(*names) if names else self.pick(self.name(), self.text())
            for _ in range(self.random.randint(0, most))
        ]
        return {name: encode_secret("db") if secrets and self.random.random() < 0.2 else self.text() for name in chosen}

    def score(self) -> str:
        return self.pick("INFINITY", "-INFINITY", "0", "100", "-5", "+7")

    def role(self) -> str:
        return self.pick("Started", "Stopped", "Promoted", "Unpromoted")

    def boolean(self) -> str:
        return self.pick("true", "false")

    def coin(self) -> bool:
        return self.random.random() < 0.5

    def extra(self) -> dict[str, str]:
        return {self.name("x-"): self.text() for _ in range(self.pick(0, 0, 0, 1, 2))}

    def blocks(self, *names: str, secrets: bool = False) -> tuple[AttributeBlock, ...]:
        if self.random.random() < 0.6:
            values = self.pairs(*names, secrets=secrets)
            return (AttributeBlock(values),) if values else ()
        found = self.several(lambda: self.block(*names, secrets=secrets))
        return () if found == (AttributeBlock({}),) else found

    def block(self, *names: str, secrets: bool = False) -> AttributeBlock:
        values = self.pairs(*names, secrets=secrets)
        return AttributeBlock(values, self.several(self.rule), self.maybe(self.score), self.maybe(self.name))

    def rule(self, depth: int = 0) -> Rule:
        return Rule(
            self.several(lambda: self.expression(depth), 3),
            self.pick("and", "or"),
            self.maybe(self.score, 0.2),
            self.maybe(self.name, 0.1),
            self.maybe(self.role, 0.1),
            self.maybe(self.name, 0.1),
            self.extra() if self.random.random() < 0.1 else {},
        )

    def expression(self, depth: int) -> Expression:
        match self.random.randint(0, 7 if depth < 3 else 5):
            case 0:
                return DateExpression(
                    self.pick("gt", "lt", "in_range", "date_spec", None),
                    self.maybe(self.moment),
                    self.maybe(self.moment),
                    self.maybe(lambda: self.fields(DURATION_FIELDS)),
                    self.maybe(lambda: self.fields(DATE_SPEC_FIELDS)),
                    self.maybe(self.name, 0.1),
                )
            case 1:
                return AgentExpression(
                    self.maybe(self.name), self.maybe(self.name), self.maybe(self.text), self.maybe(self.name, 0.1)
                )
            case 2:
                return OperationExpression(
                    self.maybe(self.text, 0.9), self.maybe(lambda: "10s"), self.maybe(self.name, 0.1)
                )
            case 6 | 7:
                return self.rule(depth + 1)
        return AttributeExpression(
            self.text(),
            self.pick("eq", "gt", "defined", "not_defined"),
            self.maybe(self.text, 0.8),
            self.maybe(lambda: self.pick("string", "number", "version")),
            self.maybe(lambda: self.pick("literal", "param", "meta")),
            self.maybe(self.name, 0.1),
        )

    def moment(self) -> str:
        return self.pick("2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01 10:00:00 +01:00")

    def fields(self, names: tuple[str, ...]) -> dict[str, str]:
        return {self.pick(*names): "1-5" for _ in range(self.random.randint(0, 2))}

    def agent(self) -> Agent:
        return self.pick(
            Agent("ocf", self.name(), self.name()),
            Agent(self.pick("systemd", "lsb", "nagios", "ocf"), self.pick("x", "a@b:c", "a b", "x:y:z")),
            Agent("systemd", "x", "odd"),
        )

    def operations(self) -> tuple[Operation, ...]:
        def one() -> Operation:
            attributes = {self.pick("timeout", "on-fail", "x-y"): self.text() for _ in range(self.random.randint(0, 2))}
            return Operation(
                self.pick("monitor", "start", "stop"),
                self.pick("0", "10s", "0s"),
                attributes,
                self.blocks(),
                self.blocks(secrets=True),
                self.maybe(self.name, 0.2),
            )

        return self.several(one, 3)

    def primitive(self, id: str) -> Primitive:
        agent, template = (self.agent(), None) if self.random.random() < 0.8 else (None, self.name())
        return Primitive(
            id,
            agent,
            template,
            self.blocks(secrets=True),
            self.blocks(),
            self.blocks(),
            self.operations(),
            self.maybe(self.text),
            self.extra(),
        )

    def group(self, id: str) -> Group:
        members = self.several(lambda: self.primitive(self.name("p")), 3, 1)
        return Group(id, members, self.blocks(), self.blocks(secrets=True), self.maybe(self.text), self.extra())

    def clone(self, id: str) -> Clone:
        held = self.group(self.name("g")) if self.coin() else self.primitive(self.name("p"))
        meta = self.blocks("clone-max")
        if meta and self.coin():
            meta = (
                AttributeBlock({**meta[0].values, "promotable": self.boolean()}, meta[0].rules, None, meta[0].id),
                *meta[1:],
            )
        said = AttributeBlock({"interleave": self.boolean()})
        first = (
            AttributeBlock({**meta[0].values, **said.values}, meta[0].rules, meta[0].score, meta[0].id)
            if meta
            else said
        )
        return Clone(
            id, held, (first, *meta[1:]), self.blocks(secrets=True), self.coin(), self.maybe(self.text), self.extra()
        )

    def bundle(self, id: str) -> Bundle:
        attributes = {self.pick("image", "replicas", "options", "x-y"): self.text() for _ in range(3)}
        ports = self.several(lambda: PortMapping(*(self.maybe(lambda: self.pick("80", "1-5")) for _ in range(4))))
        network = BundleNetwork(
            {self.pick("ip-range-start", "control-port", "x-y"): self.text() for _ in range(2)}, ports
        )
        storage = self.several(lambda: StorageMapping(*(self.maybe(self.text) for _ in range(5))))
        inner = self.maybe(lambda: self.primitive(self.name("p")))
        return Bundle(
            id,
            self.pick("docker", "podman", "rkt"),
            attributes,
            self.pick(None, network, BundleNetwork()),
            storage,
            inner,
            self.blocks(),
            self.blocks(secrets=True),
            self.maybe(self.text),
            self.extra(),
        )

    def resource(self) -> Resource:
        id = self.name("r")
        device = Primitive(id, Agent("stonith", self.name()), params=self.blocks(secrets=True))
        return self.pick(
            lambda: self.primitive(id),
            lambda: device,
            lambda: self.group(id),
            lambda: self.clone(id),
            lambda: self.bundle(id),
        )()

    def keys(self, kind: type, *without: str) -> dict[str, str]:
        """Some of a class's keys, each with a text that it takes; a new key of the model is drawn without a change here."""
        draw = {
            "text": self.name,
            "scalar": self.name,
            "integer": lambda: self.pick("1", "2", "9"),
            "boolean": self.boolean,
            "score": self.score,
            "role": self.role,
        }
        chosen = {name: key for name, key in keys_of(kind).items() if name not in without and self.coin()}
        return {name: self.pick(*key.words) if key.words else draw[key.kind]() for name, key in chosen.items()}

    def set(self) -> ResourceSet:
        return ResourceSet(self.several(self.name, 3, 1), **self.keys(ResourceSet), extra=self.extra())

    def lifetime(self) -> tuple[Rule, ...] | None:
        return self.maybe(lambda: self.several(self.rule), 0.2)

    def constraint(self) -> Constraint:
        return self.pick(self.location, self.colocation, self.order, self.ticket)()

    def location(self) -> Location:
        resource, pattern, sets = self.pick(
            (self.name(), None, ()), (None, self.text(), ()), (None, None, self.several(self.set, 2, 1))
        )
        by_rule = self.coin()
        rules = self.several(self.rule, 2, int(by_rule))
        keys = self.keys(Location, "resource", "pattern")
        if not by_rule:
            keys |= {"node": self.name(), "score": self.score()}
        more = {"rules": rules, "lifetime": self.lifetime(), "extra": self.extra()}
        return Location(self.name("c"), resource, pattern, sets, **keys, **more)

    def pair_or_sets(self) -> tuple[str | None, str | None, tuple[ResourceSet, ...]]:
        return (self.name(), self.name(), ()) if self.coin() else (None, None, self.several(self.set, 2, 1))

    def colocation(self) -> Colocation:
        keys = self.keys(Colocation, "resource", "with_resource")
        more = {"lifetime": self.lifetime(), "extra": self.extra()}
        return Colocation(self.name("c"), *self.pair_or_sets(), **keys, **more)

    def order(self) -> Order:
        keys = self.keys(Order, "first", "then")
        more = {"lifetime": self.lifetime(), "extra": self.extra()}
        return Order(self.name("c"), *self.pair_or_sets(), **keys, **more)

    def ticket(self) -> Ticket:
        resource, sets = self.pick((self.name(), ()), (None, self.several(self.set, 2, 1)))
        keys = self.keys(Ticket, "ticket", "resource")
        return Ticket(self.name("c"), self.text() or "t", resource, sets, **keys, extra=self.extra())

    def level(self) -> FencingLevel:
        targets = self.pick(
            (self.name(), None, None, None), (None, self.name(), None, None), (None, None, self.name(), self.text())
        )
        return FencingLevel(self.pick("1", "2", "9"), self.several(self.name, 2, 1), *targets, self.maybe(self.name))

    def node(self) -> NodeDefinition:
        attributes = self.blocks()
        if self.coin():
            attributes = (AttributeBlock({self.pick("rack", "standby", "maintenance"): self.boolean()}),)
        return NodeDefinition(
            self.name(),
            self.maybe(self.name),
            self.maybe(lambda: self.pick("member", "remote")),
            self.maybe(self.score),
            attributes,
            self.blocks(),
            self.maybe(self.text),
            self.extra(),
        )

    def alert(self) -> Alert:
        def recipient() -> AlertRecipient:
            return AlertRecipient(
                self.name("a"), self.text(), self.blocks(secrets=True), self.blocks(), self.maybe(self.text)
            )

        select = AlertSelect(self.coin(), self.coin(), self.coin(), self.maybe(lambda: self.several(self.name)))
        return Alert(
            self.name("a"),
            self.text(),
            self.pick(None, select),
            self.several(recipient),
            self.blocks(secrets=True),
            self.blocks(),
            self.maybe(self.text),
        )

    def template(self) -> Template:
        return Template(
            self.name("t"),
            self.agent(),
            self.blocks(secrets=True),
            self.blocks(),
            self.blocks(),
            self.operations(),
            self.maybe(self.text),
            self.extra(),
        )

    def acl_role(self) -> AclRole:
        def permission() -> AclPermission:
            return AclPermission(self.pick("read", "write", "deny"), *(self.maybe(self.text) for _ in range(6)))

        return AclRole(self.name("o"), self.several(permission), self.maybe(self.text))

    def configuration(self) -> Configuration:
        return Configuration(
            name=None,
            options=self.blocks(),
            nodes=self.several(self.node),
            templates=self.several(self.template),
            resources=self.several(self.resource, 4),
            constraints=self.several(self.constraint, 5),
            fencing_levels=self.several(self.level),
            defaults=Defaults(self.blocks(), self.blocks(secrets=True), self.blocks()),
            tags=self.several(lambda: Tag(self.name("g"), self.several(self.name))),
            alerts=self.several(self.alert, 1),
            acl_roles=self.several(self.acl_role),
            acl_targets=self.several(
                lambda: AclTarget(
                    self.name("u"), self.several(self.name), self.pick("target", "group"), self.maybe(self.name)
                )
            ),
            secrets={self.name(): self.text() for _ in range(self.pick(0, 0, 1))},
        )


def configuration_of(seed: int) -> Configuration:
    """The configuration of a seed."""
    return Draw(seed).configuration()


def rule_of(seed: int) -> Any:
    """The rule of a seed."""
    return Draw(seed).rule()

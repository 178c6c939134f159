"""Random clusters: a document with everything that a configuration may hold, and members that have run nothing yet."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Sequence

NOW_S = 1_700_000_000
FEATURES = (
    "group",
    "clone",
    "promotable",
    "bundle",
    "guest",
    "remote",
    "template",
    "tag",
    "fencing",
    "topology",
    "unfencing",
    "ticket",
    "location",
    "rules",
    "colocation",
    "order",
    "sets",
    "stickiness",
    "priority",
    "utilization",
    "migration",
    "quorum",
    "asymmetric",
    "defaults",
    "unique",
    "notify",
    "health",
    "discovery",
    "thresholds",
    "on-fail",
    "standby",
    "maintenance",
    "unmanaged",
    "target-role",
    "lost",
    "pending",
    "shutdown",
    "parameters",
    "odd-names",
)
NAMES = ("n1", "n2", "n3", "n4", "n5")
ODD_NAMES = ("Alpha", "beta", "node10", "node9", "Node2")


def nv(parent: ET.Element, tag: str, id: str, values: dict[str, str]) -> None:
    """A block of names and values; none when there are none."""
    if values:
        block = ET.SubElement(parent, tag, id=id)
        for name, value in values.items():
            ET.SubElement(block, "nvpair", id=f"{id}-{name.strip('#')}", name=name, value=value)


class Cluster:
    """A document that is being made, and what can happen to it: every choice is drawn from the seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.on = {feature for feature in FEATURES if self.dice.random() < 0.4}
        self._number = 0
        self.resources: list[str] = []
        self.kinds: dict[str, str] = {}
        self.primitives: list[str] = []
        self.guests: list[str] = []
        self.tickets = ["tA", "tB"] if "ticket" in self.on else []
        names = ODD_NAMES if "odd-names" in self.on else NAMES
        self.nodes = list(names[: self.dice.choice((1, 2, 2, 3, 3, 3, 4, 5))])
        self.root = ET.Element(
            "cib",
            {
                "crm_feature_set": "3.16.1",
                "validate-with": "none",
                "admin_epoch": "0",
                "epoch": "1",
                "num_updates": "0",
                "have-quorum": "1",
                "dc-uuid": "1",
                "execution-date": str(NOW_S),
            },
        )
        self.config = ET.SubElement(self.root, "configuration")
        for tag in ("crm_config", "nodes", "resources", "constraints"):
            ET.SubElement(self.config, tag)
        self.status = ET.SubElement(self.root, "status")
        self._fill()

    def has(self, feature: str, chance: float = 1.0) -> bool:
        """Whether this cluster has the feature, here."""
        return feature in self.on and self.dice.random() < chance

    def id(self, stem: str) -> str:
        """A new id."""
        self._number += 1
        return f"{stem}{self._number}"

    def score(self) -> str:
        """A score of some kind."""
        return self.dice.choice(("INFINITY", "INFINITY", "-INFINITY", "100", "10", "1", "-1", "-50", "500", "-500"))

    def section(self, tag: str) -> ET.Element:
        """A section of the configuration."""
        found = self.config.find(tag)
        assert found is not None
        return found

    def _fill(self) -> None:
        self._options()
        for number, name in enumerate(self.nodes, 1):
            self._node(str(number), name)
        if "fencing" in self.on:
            self._fence_devices()
        if "template" in self.on:
            self._template()
        for _ in range(self.dice.choice((1, 2, 3, 3, 4, 4, 5, 6))):
            self.add_resource()
        for feature, add in (
            ("location", self.add_location),
            ("colocation", self.add_colocation),
            ("order", self.add_order),
        ):
            if feature in self.on:
                for _ in range(self.dice.randint(1, max(1, len(self.resources) - 1))):
                    add()
        if self.tickets:
            for _ in range(self.dice.randint(1, 2)):
                self.add_ticket()
        self._defaults()
        self._closing_sections()

    def _options(self) -> None:
        pick = self.dice.choice
        values = {"stonith-enabled": "true" if "fencing" in self.on else "false"}
        values["no-quorum-policy"] = (
            pick(("stop", "ignore", "freeze", "demote")) if "quorum" in self.on else pick(("ignore", "stop"))
        )
        if self.has("asymmetric", 0.5):
            values["symmetric-cluster"] = "false"
        if "utilization" in self.on:
            values["placement-strategy"] = pick(("utilization", "minimal", "balanced", "default"))
        if "health" in self.on:
            values["node-health-strategy"] = pick(("only-green", "migrate-on-red", "progressive", "custom"))
            values |= {f"node-health-{colour}": pick(("0", "-10", "100")) for colour in ("green", "yellow", "red")}
        for name, value, chance in (
            ("start-failure-is-fatal", "false", 0.15),
            ("enable-startup-probes", "false", 0.08),
            ("stop-orphan-resources", "false", 0.08),
            ("stop-orphan-actions", "false", 0.05),
            ("concurrent-fencing", "true", 0.2),
            ("stonith-action", "off", 0.2),
            ("startup-fencing", "false", 0.1),
            ("priority-fencing-delay", "15s", 0.1),
            ("shutdown-lock", "true", 0.1),
            ("cluster-recheck-interval", "5min", 0.1),
        ):
            if self.dice.random() < chance:
                values[name] = value
        nv(self.section("crm_config"), "cluster_property_set", "options", values)

    def _node(self, id: str, name: str) -> None:
        node = ET.SubElement(self.section("nodes"), "node", id=id, uname=name)
        values = {"rack": self.dice.choice(("r1", "r2")), "speed": str(self.dice.randint(-5, 100))}
        if self.has("standby", 0.25):
            values["standby"] = "on"
        if self.has("maintenance", 0.1):
            values["maintenance"] = "true"
        nv(node, "instance_attributes", f"node-{id}", values)
        if "utilization" in self.on:
            nv(node, "utilization", f"capacity-{id}", {"cpu": str(self.dice.randint(1, 8)), "memory": "1024"})
        ET.SubElement(
            self.status,
            "node_state",
            {"id": id, "uname": name, "in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"},
        )

    def _fence_devices(self) -> None:
        each = self.dice.random() < 0.5
        for name in self.nodes if each else ("any",):
            id = f"fence-{name}"
            device = self._primitive(self.section("resources"), id, ("stonith", "fence_xvm"))
            values = {"pcmk_host_list": name} if each else {}
            if "unfencing" in self.on:
                values["pcmk_host_check"] = "static-list"
                nv(device, "meta_attributes", f"{id}-meta", {"provides": "unfencing"})
            nv(device, "instance_attributes", f"{id}-params", values)
            if each and self.dice.random() < 0.5:
                self._ban(id, name)

    def _ban(self, resource: str, node: str) -> None:
        values = {"id": self.id("ban"), "rsc": resource, "node": node, "score": "-INFINITY"}
        ET.SubElement(self.section("constraints"), "rsc_location", values)

    def _template(self) -> None:
        template = ET.SubElement(
            self.section("resources"),
            "template",
            {"id": "small", "class": "ocf", "provider": "pacemaker", "type": "Dummy"},
        )
        nv(template, "meta_attributes", "small-meta", self._meta())
        self._operations(template, "small", promotable=False)

    def add_resource(self) -> None:
        """Another resource of any kind that this cluster has."""
        kinds = ["primitive", "primitive"]
        kinds += [kind for kind in ("group", "clone", "promotable", "bundle", "guest", "remote") if kind in self.on]
        kind = self.dice.choice(kinds)
        id = self.id({"primitive": "p", "promotable": "db", "remote": "r"}.get(kind, kind[0]))
        resources = self.section("resources")
        match kind:
            case "primitive":
                self._primitive(resources, id)
            case "group":
                self._group(resources, id)
            case "clone" | "promotable":
                self._clone(resources, id, promotable=kind == "promotable")
            case "bundle":
                self._bundle(resources, id)
            case "guest":
                self.guests.append(f"{id}-vm")
                self._primitive(resources, id, extra={"remote-node": f"{id}-vm"})
            case "remote":
                self.guests.append(id)
                self._remote(resources, id)
        self.resources.append(id)
        self.kinds[id] = kind
        if self._opts_in():
            self.opt_in(id)

    def _opts_in(self) -> bool:
        return self.root.find(".//nvpair[@name='symmetric-cluster']") is not None

    def opt_in(self, id: str) -> None:
        """Let a resource run everywhere where nothing may run unless it is allowed to."""
        place = ET.SubElement(self.section("constraints"), "rsc_location", id=self.id("in"), rsc=id)
        rule = ET.SubElement(place, "rule", id=self.id("rule"), score="0")
        ET.SubElement(rule, "expression", id=self.id("x"), attribute="#uname", operation="defined")

    def _meta(self) -> dict[str, str]:
        pick = self.dice.choice
        values = {}
        for feature, chance, name, choices in (
            ("target-role", 0.15, "target-role", ("Stopped", "Started", "Promoted", "Unpromoted")),
            ("priority", 0.3, "priority", ("1", "10", "-5")),
            ("stickiness", 0.4, "resource-stickiness", ("0", "1", "100", "INFINITY", "-10")),
            ("unmanaged", 0.1, "is-managed", ("false",)),
            ("maintenance", 0.08, "maintenance", ("true",)),
            ("thresholds", 0.5, "migration-threshold", ("1", "2", "3")),
            ("thresholds", 0.3, "failure-timeout", ("30s", "10min")),
            ("migration", 0.6, "allow-migrate", ("true",)),
            ("standby", 0.1, "multiple-active", ("stop_only", "block", "stop_unexpected", "stop_start")),
            ("priority", 0.1, "critical", ("false",)),
        ):
            if self.has(feature, chance):
                values[name] = pick(choices)
        return values

    def _primitive(
        self,
        parent: ET.Element,
        id: str,
        agent: tuple[str, str] = ("ocf", "Dummy"),
        extra: dict[str, str] | None = None,
        *,
        promotable: bool = False,
    ) -> ET.Element:
        plain = agent == ("ocf", "Dummy") and not promotable and extra is None
        if plain and self.has("template", 0.3):
            made = ET.SubElement(parent, "primitive", id=id, template="small")
        else:
            made = ET.SubElement(parent, "primitive", {"id": id, "class": agent[0], "type": agent[1]})
            if agent[0] == "ocf":
                made.set("provider", "pacemaker")
        if agent[0] == "stonith":
            return made
        nv(made, "meta_attributes", f"{id}-meta", self._meta() | (extra or {}))
        if self.has("parameters", 0.4):
            nv(made, "instance_attributes", f"{id}-params", {"fake": self.dice.choice("abc")})
        self._operations(made, id, promotable=promotable)
        if "utilization" in self.on:
            nv(made, "utilization", f"{id}-needs", {"cpu": str(self.dice.randint(1, 3)), "memory": "256"})
        self.primitives.append(id)
        return made

    def _operations(self, parent: ET.Element, id: str, *, promotable: bool) -> None:
        operations = ET.SubElement(parent, "operations")
        for role, interval in (("Promoted", "9s"), ("Unpromoted", "10s")) if promotable else ((None, "10s"),):
            values = {"id": f"{id}-monitor-{interval}", "name": "monitor", "interval": interval}
            if role is not None:
                values["role"] = role
            operation = ET.SubElement(operations, "op", values)
            choices = ["restart", "stop", "ignore", "block", "standby"] + ["fence"] * ("fencing" in self.on)
            if self.has("on-fail", 0.4):
                operation.set("on-fail", self.dice.choice(choices + ["demote"] * promotable))
        if self.has("on-fail", 0.2):
            values = {"id": f"{id}-stop", "name": "stop", "interval": "0", "timeout": "30s"}
            values["on-fail"] = self.dice.choice(["ignore", "block"] + ["fence"] * ("fencing" in self.on))
            ET.SubElement(operations, "op", values)
        if self.has("on-fail", 0.15):
            values = {"id": f"{id}-start", "name": "start", "interval": "0"}
            values["on-fail"] = self.dice.choice(("restart", "stop", "ignore", "block"))
            ET.SubElement(operations, "op", values)
        if self.has("on-fail", 0.1):
            ET.SubElement(
                operations, "op", {"id": f"{id}-stopped", "name": "monitor", "interval": "33s", "role": "Stopped"}
            )

    def _group(self, parent: ET.Element, id: str) -> None:
        group = ET.SubElement(parent, "group", id=id)
        values = {name: value for name, value in self._meta().items() if name != "allow-migrate"}
        nv(group, "meta_attributes", f"{id}-meta", values)
        for number in range(self.dice.randint(1, 3)):
            self._primitive(group, f"{id}m{number}")

    def _clone(self, parent: ET.Element, id: str, *, promotable: bool) -> None:
        clone = ET.SubElement(parent, "clone", id=id)
        values = {name: value for name, value in self._meta().items() if name != "allow-migrate"}
        if promotable:
            values["promotable"] = "true"
            if self.dice.random() < 0.3:
                values["promoted-max"] = self.dice.choice("12")
        if self.has("notify", 0.5):
            values["notify"] = "true"
        if self.dice.random() < 0.5:
            values["interleave"] = "true"
        if self.dice.random() < 0.3:
            values["clone-max"] = str(self.dice.randint(1, len(self.nodes) + 1))
        if self.has("unique", 0.4):
            values |= {"globally-unique": "true", "clone-node-max": self.dice.choice("12")}
        if self.dice.random() < 0.2:
            values["clone-min"] = self.dice.choice("12")
        if self.dice.random() < 0.2:
            values["ordered"] = "true"
        nv(clone, "meta_attributes", f"{id}-meta", values)
        agent = ("ocf", "Stateful" if promotable else "Dummy")
        if self.has("group", 0.25):
            group = ET.SubElement(clone, "group", id=f"{id}g")
            for number in range(self.dice.randint(1, 2)):
                self._primitive(group, f"{id}m{number}", agent, promotable=promotable)
        else:
            self._primitive(clone, f"{id}i", agent, promotable=promotable)

    def _bundle(self, parent: ET.Element, id: str) -> None:
        bundle = ET.SubElement(parent, "bundle", id=id)
        promotable = self.dice.random() < 0.4
        values = {"image": "image", "replicas": str(self.dice.randint(1, 3))}
        if promotable:
            values["promoted-max"] = "1"
        if self.dice.random() < 0.2:
            values["replicas-per-host"] = "2"
        inner = self.dice.random() < 0.8
        ET.SubElement(bundle, self.dice.choice(("docker", "podman")), values)
        network = {"ip-range-start": "192.168.122.131"} if self.dice.random() < 0.5 else {}
        if inner:
            network["control-port"] = "9999"
        ET.SubElement(bundle, "network", network)
        storage = ET.SubElement(bundle, "storage")
        values = {"id": f"{id}-storage", "source-dir": "/srv/data", "target-dir": "/data", "options": "rw"}
        ET.SubElement(storage, "storage-mapping", values)
        if self.has("target-role", 0.2):
            nv(bundle, "meta_attributes", f"{id}-meta", {"target-role": "Stopped"})
        if inner:
            self._primitive(bundle, f"{id}p", ("ocf", "Stateful" if promotable else "Dummy"), promotable=promotable)

    def _remote(self, parent: ET.Element, id: str) -> None:
        made = ET.SubElement(parent, "primitive", {"id": id, "class": "ocf", "provider": "pacemaker", "type": "remote"})
        values = {"server": "192.168.122.8"}
        if self.dice.random() < 0.3:
            values["reconnect_interval"] = "60s"
        nv(made, "instance_attributes", f"{id}-params", values)
        operations = ET.SubElement(made, "operations")
        ET.SubElement(operations, "op", {"id": f"{id}-monitor-20s", "name": "monitor", "interval": "20s"})
        self.primitives.append(id)

    def two(self) -> tuple[str, str] | None:
        """Two different resources in the order of the configuration, so that no circle of orders comes about; None without two."""
        if len(self.resources) < 2:
            return None
        one, other = sorted(self.dice.sample(range(len(self.resources)), 2))
        return self.resources[one], self.resources[other]

    def role(self, resource: str) -> str | None:
        """A role that a constraint may ask of the resource."""
        if self.kinds[resource] == "promotable" and self.dice.random() < 0.5:
            return self.dice.choice(("Promoted", "Unpromoted", "Started"))
        return None

    def add_location(self) -> None:
        """Another location, by score or by rule."""
        resource = self.dice.choice(self.resources)
        made = ET.SubElement(self.section("constraints"), "rsc_location", id=self.id("loc"), rsc=resource)
        if self.has("discovery", 0.3):
            made.set("resource-discovery", self.dice.choice(("always", "never", "exclusive")))
        role = self.role(resource)
        if self.has("rules", 0.5):
            self._rule(made, role)
            return
        made.set("node", self.dice.choice([*self.nodes, *self.guests]))
        made.set("score", self.score())
        if role is not None:
            made.set("role", role)

    def _rule(self, parent: ET.Element, role: str | None) -> None:
        rule = ET.SubElement(parent, "rule", {"id": self.id("rule"), "boolean-op": self.dice.choice(("and", "or"))})
        if self.dice.random() < 0.2:
            rule.set("score-attribute", "speed")
        else:
            rule.set("score", self.score())
        if role is not None:
            rule.set("role", role)
        for _ in range(self.dice.randint(1, 2)):
            self._expression(rule)

    def _expression(self, rule: ET.Element) -> None:
        number = self.dice.randrange(6)
        if number == 0:
            values = {"id": self.id("d"), "operation": "gt", "start": self.dice.choice(("2020-01-01", "2023-11-15"))}
            ET.SubElement(rule, "date_expression", values)
            return
        if number == 1:
            date = ET.SubElement(rule, "date_expression", {"id": self.id("d"), "operation": "date_spec"})
            ET.SubElement(date, "date_spec", {"id": self.id("s"), "hours": self.dice.choice(("0-12", "20-23", "9"))})
            return
        values = self.dice.choice(
            (
                {"attribute": "#uname", "operation": "eq", "value": self.dice.choice(self.nodes)},
                {"attribute": "rack", "operation": "eq", "value": "r1"},
                {"attribute": "speed", "operation": "gte", "value": "50", "type": "number"},
                {"attribute": "pingd", "operation": "not_defined"},
                {"attribute": "pingd", "operation": "lt", "value": "10", "type": "number"},
                {"attribute": "#kind", "operation": "ne", "value": "remote"},
            )
        )
        ET.SubElement(rule, "expression", {"id": self.id("x"), **values})

    def add_colocation(self) -> None:
        """Another colocation, of two or of sets."""
        made = ET.Element("rsc_colocation", id=self.id("col"), score=self.score())
        if self.has("sets", 0.3) and len(self.resources) > 2:
            self._sets(made, ordered=False)
        elif (pair := self.two()) is not None:
            primary, dependent = pair
            made.attrib.update({"rsc": dependent, "with-rsc": primary})
            for key, resource in (("rsc-role", dependent), ("with-rsc-role", primary)):
                if (role := self.role(resource)) is not None:
                    made.set(key, role)
            if self.dice.random() < 0.1:
                made.set("influence", "false")
            if self.dice.random() < 0.1:
                made.set("node-attribute", "rack")
        else:
            return
        self.section("constraints").append(made)

    def _sets(self, parent: ET.Element, *, ordered: bool) -> None:
        count = self.dice.randint(2, min(4, len(self.resources)))
        chosen = sorted(self.dice.sample(range(len(self.resources)), count))
        cut = self.dice.randint(1, count - 1)
        for numbers in (chosen[:cut], chosen[cut:]):
            made = ET.SubElement(parent, "resource_set", id=self.id("set"))
            made.set("sequential", self.dice.choice(("true", "false")))
            if ordered and self.dice.random() < 0.3:
                made.set("sequential", "false")
                made.set("require-all", "false")
            for number in numbers:
                ET.SubElement(made, "resource_ref", id=self.resources[number])

    def add_order(self) -> None:
        """Another order, of two or of sets."""
        kind = self.dice.choice(("Mandatory", "Mandatory", "Optional", "Serialize"))
        made = ET.Element("rsc_order", id=self.id("ord"), kind=kind)
        if kind != "Serialize" and self.has("sets", 0.3) and len(self.resources) > 2:
            self._sets(made, ordered=True)
        elif (pair := self.two()) is not None:
            made.attrib.update({"first": pair[0], "then": pair[1]})
            same = [one for one in self.section("constraints") if (one.get("first"), one.get("then")) == pair]
            if same:
                return
            if kind != "Serialize" and self.dice.random() < 0.2:
                made.set("symmetrical", "false")
            for side, resource in zip(("first", "then"), pair, strict=True):
                if self.kinds[resource] == "promotable" and self.dice.random() < 0.5:
                    made.set(f"{side}-action", self.dice.choice(("promote", "start")))
        else:
            return
        self.section("constraints").append(made)

    def add_ticket(self) -> None:
        """Another resource that depends on a ticket."""
        resource = self.dice.choice(self.resources)
        values = {"id": self.id("tic"), "rsc": resource, "ticket": self.dice.choice(self.tickets)}
        if (role := self.role(resource)) is not None:
            values["rsc-role"] = role
        values["loss-policy"] = self.dice.choice(["stop", "freeze", "demote"] + ["fence"] * ("fencing" in self.on))
        ET.SubElement(self.section("constraints"), "rsc_ticket", values)

    def _defaults(self) -> None:
        if "defaults" not in self.on:
            return
        values = {"resource-stickiness": self.dice.choice(("1", "100"))} if self.dice.random() < 0.7 else {}
        if self.dice.random() < 0.3:
            values["migration-threshold"] = "2"
        nv(ET.SubElement(self.config, "rsc_defaults"), "meta_attributes", "rsc-defaults", values)
        values = {"timeout": self.dice.choice(("15s", "1min"))} if self.dice.random() < 0.6 else {}
        if self.dice.random() < 0.3:
            values["record-pending"] = "false"
        nv(ET.SubElement(self.config, "op_defaults"), "meta_attributes", "op-defaults", values)

    def _closing_sections(self) -> None:
        if {"fencing", "topology"} <= self.on:
            topology = ET.SubElement(self.config, "fencing-topology")
            devices = [one.get("id", "") for one in self.section("resources") if one.get("class") == "stonith"]
            for number, node in enumerate(self.nodes):
                values = {"id": f"level-{number}", "target": node, "index": "1", "devices": self.dice.choice(devices)}
                ET.SubElement(topology, "fencing-level", values)
        if "tag" in self.on:
            tags = ET.SubElement(self.config, "tags")
            tag = ET.SubElement(tags, "tag", id="marked")
            for resource in _some(self.dice, self.resources):
                ET.SubElement(tag, "obj_ref", id=resource)
            values = {
                "id": self.id("loc"),
                "rsc": "marked",
                "node": self.dice.choice(self.nodes),
                "score": self.score(),
            }
            ET.SubElement(self.section("constraints"), "rsc_location", values)


def _some(dice: random.Random, names: Sequence[str]) -> list[str]:
    return sorted(dice.sample(list(names), dice.randint(1, len(names))))

"""What happens next to a cluster: an event of the simulation, a change of its configuration, or a state that its members report."""

from __future__ import annotations

import copy
import random
import xml.etree.ElementTree as ET
from collections.abc import Callable

from .clusters import NOW_S, Cluster, nv

Words = list[str]
_FAILURES = ("1", "7", "5", "6", "9", "2")


def happen(cluster: Cluster, root: ET.Element, now_s: int) -> tuple[Words, int]:
    """Change the document by one to three moments; the options that come with them, and the time it is then."""
    dice = cluster.dice
    words: Words = []
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3))):
        words += dice.choice(_MOMENTS)(cluster, root, dice)
    if dice.random() < 0.2:
        now_s += dice.choice((20, 60, 700, 90_000))
        root.set("execution-date", str(now_s))
    return words, now_s


def settle(root: ET.Element, now_s: int) -> None:
    """What the reference recorded by the clock on the wall happened now, so that failures can expire."""
    for entry in root.iterfind("status//lrm_rsc_op[@last-rc-change]"):
        if int(entry.get("last-rc-change", "0")) > now_s:
            entry.set("last-rc-change", str(now_s))
    for pair in root.iterfind("status//nvpair"):
        if pair.get("name", "").startswith("last-failure-") and int(pair.get("value", "0")) > now_s:
            pair.set("value", str(now_s))


def _states(root: ET.Element) -> list[ET.Element]:
    return [one for one in root.iterfind("status/node_state") if one.get("remote_node") is None]


def _primitives(root: ET.Element) -> list[tuple[str, str]]:
    """What the members remember: (resource, node)."""
    return [
        (entry.get("id", ""), state.get("uname", state.get("id", "")))
        for state in root.iterfind("status/node_state")
        for entry in state.iterfind("lrm/lrm_resources/lrm_resource")
    ]


def _node_event(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """A node comes, goes or fails. With `-u` the reference takes guest nodes for members, so there it comes by its state."""
    option = dice.choice(("-d", "-f", "-f", "-u", "-u"))
    if option != "-u" and cluster.guests and dice.random() < 0.2:
        return [option, dice.choice(cluster.guests)]
    node = dice.choice(cluster.nodes)
    if option == "-u" and {"guest", "remote", "bundle"} & set(cluster.kinds.values()):
        for state in _states(root):
            if state.get("uname") == node:
                state.attrib.update({"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"})
        return []
    return [option, node]


def _injected(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    known = [one for one in _primitives(root) if not one[0].startswith("fence-")]
    if not known:
        return []
    resource, node = dice.choice(known)
    task = dice.choice(("monitor_10000",) * 4 + ("monitor_0", "start_0", "stop_0", "promote_0", "monitor_9000"))
    return ["-i", f"{resource}_{task}@{node}={dice.choice(_FAILURES)}"]


def _failing(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    if not cluster.primitives:
        return []
    resource = dice.choice(cluster.primitives)
    tasks = ("start_0", "start_0", "stop_0", "stop_0", "monitor_10000", "monitor_0", "promote_0", "demote_0")
    task = dice.choice((*tasks, "migrate_to_0", "migrate_from_0"))
    return ["-F", f"{resource}_{task}@{dice.choice(cluster.nodes)}={dice.choice(_FAILURES)}"]


def _ticket(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    return [dice.choice(("-g", "-g", "-r", "-b", "-e")), dice.choice(cluster.tickets)] if cluster.tickets else []


def _quorum(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    root.set("have-quorum", "1" if root.get("have-quorum") == "0" else "0")
    return []


def _set(block: ET.Element, name: str, value: str) -> None:
    for pair in block.findall("nvpair"):
        if pair.get("name") == name:
            pair.set("value", value)
            return
    ET.SubElement(block, "nvpair", id=f"{block.get('id')}-{name.strip('#')}", name=name, value=value)


def _block(parent: ET.Element, tag: str, id: str, before: tuple[str, ...]) -> ET.Element:
    """The first block of the kind, made where it belongs when there is none."""
    found = parent.find(tag)
    if found is None:
        found = ET.Element(tag, id=id)
        at = next((number for number, one in enumerate(parent) if one.tag in before), len(parent))
        parent.insert(at, found)
    return found


def _meta_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    kinds = ("primitive", "group", "clone")
    found = [one for one in root.iter() if one.tag in kinds and one.get("class") != "stonith"]
    if not found:
        return []
    resource = dice.choice(found)
    name, value = dice.choice(
        (
            ("target-role", "Stopped"),
            ("target-role", "Started"),
            ("target-role", "Unpromoted"),
            ("is-managed", "false"),
            ("is-managed", "true"),
            ("maintenance", "true"),
            ("maintenance", "false"),
            ("resource-stickiness", "0"),
            ("resource-stickiness", "INFINITY"),
            ("migration-threshold", "1"),
            ("failure-timeout", "30s"),
            ("priority", "7"),
        )
    )
    if resource.tag == "clone":
        more = (("clone-max", "1"), ("clone-max", "2"), ("notify", "true"), ("interleave", "false"), (name, value))
        name, value = dice.choice(more)
    before = ("instance_attributes", "operations", "utilization", "primitive", "group")
    _set(_block(resource, "meta_attributes", f"{resource.get('id')}-meta", before), name, value)
    return []


def _parameter_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    found = [one for one in root.iter("primitive") if one.get("type") in ("Dummy", "Stateful")]
    if found:
        resource = dice.choice(found)
        block = _block(resource, "instance_attributes", f"{resource.get('id')}-params", ("operations", "utilization"))
        _set(block, dice.choice(("fake", "op_sleep")), dice.choice("0123"))
    return []


def _operation_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    found = list(root.iterfind("configuration/resources//op"))
    if found:
        operation = dice.choice(found)
        name, value = dice.choice((("timeout", "17s"), ("enabled", "false"), ("interval", "11s"), ("timeout", "18s")))
        if name != "interval" or operation.get("name") == "monitor":
            operation.set(name, value)
    return []


def _node_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    node = dice.choice(list(root.iterfind("configuration/nodes/node")))
    block = _block(node, "instance_attributes", f"node-{node.get('id')}", ("utilization",))
    _set(
        block,
        *dice.choice(
            (
                ("standby", "on"),
                ("standby", "off"),
                ("maintenance", "true"),
                ("maintenance", "false"),
                ("rack", "r1"),
                ("speed", "99"),
            )
        ),
    )
    return []


def _transient_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    states = [one for one in _states(root) if one.get("crmd") == "online"]
    if not states:
        return []
    state = dice.choice(states)
    id = state.get("id", "")
    attributes = state.find("transient_attributes")
    if attributes is None:
        attributes = ET.SubElement(state, "transient_attributes", id=id)
    block = _block(attributes, "instance_attributes", f"status-{id}", ())
    stateful = [one.get("id", "") for one in root.iter("primitive") if one.get("type") == "Stateful"]
    choices = [("pingd", "5"), ("pingd", "100"), ("standby", "on"), ("standby", "off"), ("#health-disk", "red")]
    choices += [("#health-disk", "green"), ("#health-cpu", "yellow")]
    choices += 3 * [(f"master-{one}", dice.choice(("10", "100", "1", "-INFINITY"))) for one in stateful]
    if "shutdown" in cluster.on:
        choices += [("shutdown", str(NOW_S)), ("shutdown", "0")]
    _set(block, *dice.choice(choices))
    return []


def _constraint_gone(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    section = root.find("configuration/constraints")
    assert section is not None
    if len(section):
        section.remove(dice.choice(list(section)))
    return []


def _constraint_new(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """Drawn in the first document, which knows the resources, and copied; of resources that are gone, nothing."""
    own = cluster.section("constraints")
    dice.choice((cluster.add_location, cluster.add_colocation, cluster.add_order))()
    if len(own):
        made = own[-1]
        ids = {one.get("id") for one in root.iterfind("configuration/resources//*")}
        named = [made.get(key) for key in ("rsc", "with-rsc", "first", "then")]
        named += [one.get("id") for one in made.iter("resource_ref")]
        section = root.find("configuration/constraints")
        assert section is not None
        taken = {one.get("id") for one in section}
        if made.get("id") not in taken and all(name is None or name in ids for name in named):
            section.append(copy.deepcopy(made))
    return []


def _score_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    found = list(root.iterfind("configuration/constraints//*[@score]"))
    if found:
        dice.choice(found).set("score", cluster.score())
    return []


def _resource_gone(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """With everything that names it, as a tool would take it away."""
    section = root.find("configuration/resources")
    assert section is not None
    found = [one for one in section if one.tag != "template"]
    if len(found) < 2:
        return []
    gone = dice.choice(found)
    section.remove(gone)
    ids = {one.get("id") for one in gone.iter()}
    for parent in root.iterfind("configuration/*"):
        for child in list(parent):
            names = [child.get(key) for key in ("rsc", "with-rsc", "first", "then", "devices")]
            if parent.tag != "resources" and ids & {name for name in names if name}:
                parent.remove(child)
    for parent in (*root.iter("resource_set"), *root.iter("tag")):
        for child in list(parent):
            if child.get("id") in ids and len(parent) > 1:
                parent.remove(child)
    return []


def _option_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    section = root.find("configuration/crm_config")
    assert section is not None
    name, value = dice.choice(
        (
            ("stop-all-resources", "true"),
            ("stop-all-resources", "false"),
            ("maintenance-mode", "true"),
            ("maintenance-mode", "false"),
            ("no-quorum-policy", dice.choice(("stop", "freeze", "ignore", "demote"))),
            ("stonith-enabled", "false"),
            ("start-failure-is-fatal", dice.choice(("true", "false"))),
            ("stop-orphan-resources", dice.choice(("true", "false"))),
            ("placement-strategy", dice.choice(("default", "minimal", "utilization", "balanced"))),
            ("shutdown-lock", "true"),
        )
    )
    _set(_block(section, "cluster_property_set", "options", ()), name, value)
    return []


def _history_forgotten(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """As a cleanup does it."""
    states = list(root.iterfind("status/node_state/lrm/lrm_resources"))
    found = [(parent, one) for parent in states for one in parent]
    if found:
        parent, one = dice.choice(found)
        parent.remove(one)
    return []


def _under_way(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """The newest operation of a resource has not ended yet."""
    if "pending" not in cluster.on:
        return []
    found = [one for one in root.iterfind("status/node_state/lrm/lrm_resources/lrm_resource") if len(one)]
    if found:
        entry = max(dice.choice(found), key=lambda one: int(one.get("call-id", "0")))
        _, _, key = entry.get("transition-magic", "").partition(";")
        entry.attrib.update({"op-status": "-1", "rc-code": "193", "call-id": "-1", "transition-magic": f"-1:193;{key}"})
    return []


def _lost(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """A member is gone without having said so, or is only just coming."""
    states = _states(root)
    if states and "lost" in cluster.on:
        state = dice.choice(states)
        state.attrib.update(
            dice.choice(
                (
                    {"in_ccm": "false", "crmd": "offline", "join": "down"},
                    {"in_ccm": "true", "crmd": "offline", "join": "down"},
                    {"in_ccm": "false", "crmd": "offline", "join": "member", "expected": "member"},
                    {"in_ccm": "true", "crmd": "online", "join": "pending", "expected": "member"},
                    {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "down"},
                )
            )
        )
    return []


def _active_twice(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    """What one member remembers, another one does, too."""
    places = list(root.iterfind("status/node_state/lrm/lrm_resources"))
    full = [place for place in places if len(place)]
    if len(places) > 1 and full and dice.random() < 0.3:
        source = dice.choice(full)
        entry = copy.deepcopy(dice.choice(list(source)))
        target = dice.choice([place for place in places if place is not source])
        for old in target.findall("lrm_resource"):
            if old.get("id") == entry.get("id"):
                target.remove(old)
        target.append(entry)
    return []


def _needs_changed(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    found = list(root.iterfind("configuration//utilization/nvpair"))
    if found:
        dice.choice(found).set("value", dice.choice("12468"))
    return []


def _resource_new(cluster: Cluster, root: ET.Element, dice: random.Random) -> Words:
    section = root.find("configuration/resources")
    assert section is not None
    made = ET.SubElement(
        section, "primitive", {"id": cluster.id("new"), "class": "ocf", "provider": "pacemaker", "type": "Dummy"}
    )
    nv(made, "meta_attributes", f"{made.get('id')}-meta", {"priority": dice.choice("01")})
    return []


_Moment = Callable[[Cluster, ET.Element, random.Random], Words]
_MOMENTS: tuple[_Moment, ...] = (
    *(_node_event, _injected, _failing) * 4,
    *(_meta_changed, _node_changed, _transient_changed, _ticket, _ticket) * 2,
    _quorum,
    _parameter_changed,
    _operation_changed,
    _constraint_gone,
    _constraint_new,
    _score_changed,
    _resource_gone,
    _resource_new,
    _option_changed,
    _history_forgotten,
    _under_way,
    _under_way,
    _lost,
    _lost,
    _active_twice,
    _needs_changed,
)

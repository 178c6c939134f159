"""Every setting by name: what kind of text it takes, its default, its allowed words, and what it is for.

The language's name of a setting is the current one; `stored` is the spelling that the model, the scheduler and Pacemaker 2.1 use where
that differs, and `old` lists further spellings that are still read. Tables are plain tuples: they are read by every `validate`.
Source: Pacemaker Explained, "Cluster Options", "Resource Meta-Attributes", "Operation Properties", "Clone Options", "Fencing".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Setting(NamedTuple):
    """One setting; `kind` is boolean, integer, count (an integer from 0), score, duration, percentage, word, zone or text.

    Where nothing here reads it, `inert` says what is so instead, whatever its value; it is kept and exported all the same.
    """

    name: str
    kind: str
    default: str
    description: str
    words: tuple[str, ...] = ()
    stored: str = ""
    old: tuple[str, ...] = ()
    deprecated: str = ""
    inert: str = ""

    @property
    def key(self) -> str:
        """The name under which the model holds it."""
        return self.stored or self.name


def _table(rows: Iterable[Setting]) -> dict[str, Setting]:
    return {row.name: row for row in rows}


S = Setting
_NO_SERIES = "none are kept"
_NOT_ASKED = "no device is asked which nodes it can fence"

CLUSTER_OPTIONS = _table(
    (
        S(
            "cluster-name",
            "text",
            "",
            "The cluster's name, visible to rules as #cluster-name; usually given as `cluster: {name: …}`.",
        ),
        S("cluster-infrastructure", "text", "", "The messaging layer; found out by the cluster itself."),
        S("dc-version", "text", "", "The version of the controller; found out by the cluster itself."),
        S(
            "no-quorum-policy",
            "word",
            "stop",
            "What a partition without quorum does: stop all resources, freeze (keep, but start nothing new), ignore (go on as if it "
            "had quorum: data may be lost), demote promoted resources and stop the rest, or fence all its nodes: each ends itself, as "
            "`self-fencing` in its node.yaml says, and stops what it runs besides.",
            ("stop", "freeze", "ignore", "demote", "fence", "suicide"),
        ),
        S(
            "batch-limit",
            "integer",
            "0",
            "How many actions may run at the same time in the whole cluster; 0 lets the cluster decide.",
        ),
        S(
            "migration-limit",
            "integer",
            "-1",
            "How many live migrations may run at the same time on one node; -1 means any number.",
        ),
        S(
            "load-threshold",
            "percentage",
            "80%",
            "The CPU load from which on a node is given fewer actions.",
            inert="nobody looks at a node's load",
        ),
        S(
            "node-action-limit",
            "count",
            "0",
            "How many actions may run at the same time on one node; 0 means twice its cores.",
            inert="`agents: {limit: …}` in a node's node.yaml says how many agents run there, 16 at least where nothing does",
        ),
        S(
            "symmetric-cluster",
            "boolean",
            "true",
            "Whether resources may run on any node unless a constraint says otherwise.",
        ),
        S("stop-all-resources", "boolean", "false", "Whether everything is to be stopped."),
        S(
            "start-failure-is-fatal",
            "boolean",
            "true",
            "Whether one failed start bans a resource from its node at once.",
        ),
        S(
            "maintenance-mode",
            "boolean",
            "false",
            "Whether the cluster leaves all resources alone: no start, stop or monitor.",
        ),
        S(
            "fencing-enabled",
            "boolean",
            "true",
            "Whether lost nodes are fenced. Without fencing a lost node may still write to what is started elsewhere.",
            stored="stonith-enabled",
        ),
        S(
            "fencing-action",
            "word",
            "reboot",
            "What fencing does to a node: reboot it, or switch it off.",
            ("reboot", "off", "poweroff"),
            stored="stonith-action",
        ),
        S("fencing-timeout", "duration", "60s", "How long a fencing action may take.", stored="stonith-timeout"),
        S(
            "fencing-max-attempts",
            "score",
            "10",
            "How often fencing of one node may fail before it is no longer tried at once.",
            stored="stonith-max-attempts",
            inert="fencing is tried again, after longer and longer waits, until it succeeds or an operator confirms it",
        ),
        S(
            "have-watchdog",
            "boolean",
            "false",
            "Whether nodes have a watchdog that fences them (`self-fencing` in their node.yaml): where no fence device is configured, "
            "nothing is started without it. How long one is waited for says `fencing-watchdog-timeout`.",
        ),
        S(
            "fencing-watchdog-timeout",
            "duration",
            "0",
            "How long the others wait until a lost node counts as fenced by its own watchdog: -1 as long as each node has promised "
            "(`status` shows it; by default 202s), 0 that none counts. It counts for a node that no device is configured for, or where a "
            "fencing level names `watchdog`; and only if the node has promised to be reset within that time, those who are left have "
            "most of the votes without it (never in a cluster of two), and no-quorum-policy is stop or fence.",
            stored="stonith-watchdog-timeout",
        ),
        S(
            "fencing-reaction",
            "word",
            "stop",
            "What a node does that learns of its own fencing while it lives. Its daemon ends and stops no resource: what runs there runs "
            "on until the machine is switched off. With panic it ends the machine itself, as `self-fencing` in its node.yaml says.",
            ("stop", "panic"),
            stored="fence-reaction",
        ),
        S(
            "priority-fencing-delay",
            "duration",
            "0",
            "In a two-sided split, how much longer to wait before the node with the more important resources is fenced.",
        ),
        S(
            "node-pending-timeout",
            "duration",
            "0",
            "How long a node may be in the membership without joining before it is fenced; 0: for ever.",
            inert="who does not join within some seconds is excluded from the view, and tries again",
        ),
        S("concurrent-fencing", "boolean", "false", "Whether several nodes may be fenced at the same time."),
        S(
            "startup-fencing",
            "boolean",
            "true",
            "Whether nodes that were never seen are fenced before anything starts.",
        ),
        S(
            "fence-remote-without-quorum",
            "boolean",
            "false",
            "Whether remote nodes may be fenced by a partition without quorum.",
            inert="remote nodes take no part in a running cluster yet",
        ),
        S(
            "cluster-delay",
            "duration",
            "60s",
            "The longest time an action may need on its way to another node and back.",
            inert="only the graph that `simulate` writes names it",
        ),
        S("dc-deadtime", "duration", "20s", "How long nodes that start wait for one not seen yet before it is fenced."),
        S(
            "cluster-recheck-interval",
            "duration",
            "15min",
            "How often time-based rules and failure timeouts are looked at in any case.",
        ),
        S(
            "election-timeout",
            "duration",
            "2min",
            "How long the choice of a DC may take.",
            inert="all members compute alike who is the DC: nobody is elected",
        ),
        S(
            "shutdown-escalation",
            "duration",
            "20min",
            "How long a clean shutdown may take before it is forced.",
            inert="a daemon that ends stops no resource, so that there is nothing to force",
        ),
        S(
            "join-integration-timeout",
            "duration",
            "3min",
            "How long nodes may take to join.",
            old=("crmd-integration-timeout",),
            inert="who does not join within some seconds is excluded from the view, and tries again",
        ),
        S(
            "join-finalization-timeout",
            "duration",
            "30min",
            "How long the last step of joining may take.",
            old=("crmd-finalization-timeout",),
            inert="who does not join within some seconds is excluded from the view, and tries again",
        ),
        S(
            "transition-delay",
            "duration",
            "0s",
            "How long to wait for further events before deciding anew.",
            old=("crmd-transition-delay",),
            inert="it is decided anew as soon as nothing else waits",
        ),
        S(
            "pe-error-series-max",
            "integer",
            "-1",
            "How many decision inputs with errors are kept; -1 keeps all.",
            inert=_NO_SERIES,
        ),
        S(
            "pe-warn-series-max",
            "integer",
            "5000",
            "How many decision inputs with warnings are kept; -1 keeps all.",
            inert=_NO_SERIES,
        ),
        S(
            "pe-input-series-max",
            "integer",
            "4000",
            "How many ordinary decision inputs are kept; -1 keeps all.",
            inert=_NO_SERIES,
        ),
        S(
            "enable-acl",
            "boolean",
            "false",
            "Whether the rules under `acls` are enforced.",
            inert="`readers` and `writers` in node.yaml alone grant access",
        ),
        S("enable-startup-probes", "boolean", "true", "Whether nodes that join are asked what already runs there."),
        S(
            "placement-strategy",
            "word",
            "default",
            "Whether utilization counts: default (no), utilization (as a limit), balanced (spread by free capacity), minimal (few nodes).",
            ("default", "utilization", "balanced", "minimal"),
        ),
        S(
            "node-health-strategy",
            "word",
            "none",
            "How node attributes that begin with #health move resources.",
            ("none", "migrate-on-red", "only-green", "progressive", "custom"),
        ),
        S("node-health-base", "score", "0", "The score that every node's health starts with (strategy progressive)."),
        S("node-health-green", "score", "0", "The score that the word green stands for."),
        S("node-health-yellow", "score", "0", "The score that the word yellow stands for."),
        S("node-health-red", "score", "-INFINITY", "The score that the word red stands for."),
        S(
            "shutdown-lock",
            "boolean",
            "false",
            "Whether resources of a node that is shut down cleanly wait for it to come back.",
        ),
        S("shutdown-lock-limit", "duration", "0", "How long such resources wait; 0 means for ever."),
        S(
            "lost-node-grace",
            "duration",
            "",
            "How long, without fencing, the others wait before they start what a node that is gone may still run. By itself this is the "
            "longest timeout of a stop, as often as stops may follow each other by orders and groups, and 10s more; and for ever where "
            "such a node would not stop by itself. "
            "(Of reconciler alone: Pacemaker takes such a node for stopped.)",
        ),
        S(
            "date-zone",
            "zone",
            "",
            "The time zone in which rules read dates and times that name none: UTC, an offset such as +01:00, or a rule as the variable TZ "
            "holds it, such as CET-1CEST,M3.5.0,M10.5.0/3 (the last line of a file in /usr/share/zoneinfo). It is given without a rule. "
            "Left out, that is UTC among several members, and for a node alone its own zone. (Of reconciler alone.)",
        ),
        S(
            "stop-removed-resources",
            "boolean",
            "true",
            "Whether resources that run but are no longer configured are stopped.",
            stored="stop-orphan-resources",
        ),
        S(
            "cancel-removed-actions",
            "boolean",
            "true",
            "Whether recurring operations that are no longer configured are cancelled.",
            stored="stop-orphan-actions",
        ),
        S(
            "cluster-ipc-limit",
            "count",
            "500",
            "How many messages may wait between daemons.",
            deprecated="it is ignored",
        ),
        S(
            "remove-after-stop",
            "boolean",
            "false",
            "Whether history is deleted after a stop.",
            deprecated="leave it out",
        ),
        S("last-lrm-refresh", "integer", "", "When histories were refreshed last; written by tools."),
    )
)
"""The options of `cluster: {options: …}`."""

_ROLES = ("Started", "Stopped", "Promoted", "Unpromoted")

RESOURCE_META = _table(
    (
        S("priority", "score", "0", "Which resources keep running when not all can: higher ones first."),
        S("critical", "boolean", "true", "Whether failures of this resource may move what it is colocated with."),
        S("target-role", "word", "Started", "The role in which the cluster should keep the resource.", _ROLES),
        S("is-managed", "boolean", "true", "Whether the cluster may start and stop the resource."),
        S(
            "maintenance",
            "boolean",
            "false",
            "Whether the cluster leaves the resource alone entirely, monitors included.",
        ),
        S("resource-stickiness", "score", "0", "How much the resource prefers to stay where it runs."),
        S(
            "requires",
            "word",
            "fencing",
            "What must be true before it may start: nothing, quorum, fencing of all lost nodes, or unfencing of its own node.",
            ("nothing", "quorum", "fencing", "unfencing"),
        ),
        S(
            "migration-threshold",
            "score",
            "INFINITY",
            "After how many failures on a node the resource is banned from it; 0: never.",
        ),
        S("failure-timeout", "duration", "0", "After what time failures are forgotten; 0: never."),
        S(
            "multiple-active",
            "word",
            "stop_start",
            "What to do when it is found active on several nodes.",
            ("block", "stop_only", "stop_start", "stop_unexpected"),
        ),
        S("allow-migrate", "boolean", "false", "Whether it can be moved live, by migrate_to and migrate_from."),
        S("allow-unhealthy-nodes", "boolean", "false", "Whether it may run on nodes whose health would ban it."),
        S(
            "container-attribute-target",
            "word",
            "",
            "`host` uses the attributes of the host instead of the container's own.",
            ("host",),
        ),
        S("provides", "text", "", "What a fencing device provides besides fencing: `unfencing`."),
        S("remote-node", "text", "", "The name of the guest node that this resource (a virtual machine) carries."),
        S("remote-addr", "text", "", "The address of that guest node, when it is not its name."),
        S("remote-port", "integer", "3121", "The port of that guest node."),
        S("remote-connect-timeout", "duration", "60s", "How long connecting to that guest node may take."),
        S("remote-allow-migrate", "boolean", "true", "Whether the connection to that guest node may move."),
        S("container", "text", "", "The resource inside which this one runs."),
        S(
            "restart-type",
            "word",
            "ignore",
            "Whether dependents restart with it.",
            ("ignore", "restart"),
            deprecated="use an order constraint",
        ),
        S("resource-failure-stickiness", "score", "0", "Unused.", deprecated="use migration-threshold"),
        S("description", "text", "", "A remark."),
    )
)
"""Meta-attributes of primitives, and of what holds primitives: these hand them down."""

GROUP_META = _table(
    (
        S(
            "ordered",
            "boolean",
            "true",
            "Whether members start in order.",
            deprecated="use an order constraint with sets",
        ),
        S("collocated", "boolean", "true", "Whether members run together.", deprecated="use a colocation with sets"),
    )
)
"""What groups know besides."""

CLONE_META = _table(
    (
        S("clone-max", "count", "", "How many instances run at most; by default one for each node."),
        S("clone-node-max", "count", "1", "How many instances run at most on one node."),
        S("clone-min", "count", "0", "How many instances must run before what is ordered after the clone may start."),
        S(
            "notify",
            "boolean",
            "false",
            "Whether instances are told before and after others start, stop, promote and demote.",
        ),
        S("globally-unique", "boolean", "false", "Whether each instance does something of its own."),
        S("ordered", "boolean", "false", "Whether instances start one after the other."),
        S(
            "interleave",
            "boolean",
            "true",
            "Whether an order between clones waits only for the instance on the same node. (Pacemaker's own default is false.)",
        ),
        S("promotable", "boolean", "false", "Whether instances can be promoted."),
        S("promoted-max", "count", "1", "How many instances are promoted at most.", old=("master-max",)),
        S(
            "promoted-node-max",
            "count",
            "1",
            "How many instances are promoted at most on one node.",
            old=("master-node-max",),
        ),
    )
)
"""What clones know besides, and bundles hand to the clone inside them."""

OPERATION_OPTIONS = _table(
    (
        S("timeout", "duration", "20s", "How long one call may take before it counts as failed."),
        S(
            "on-fail",
            "word",
            "restart",
            "What follows a failure. By default a failed stop fences the node (or blocks the resource without fencing), anything else "
            "restarts the resource.",
            ("ignore", "block", "stop", "demote", "restart", "fence", "standby", "restart-container", "migrate"),
        ),
        S("role", "word", "", "In which role a recurring operation runs.", _ROLES),
        S("description", "text", "", "A remark."),
        S("enabled", "boolean", "true", "Whether the operation runs at all."),
        S("start-delay", "duration", "0", "How long to wait before the first call."),
        S("interval-origin", "text", "", "The moment (ISO 8601) from which a recurring operation's calls are counted."),
        S(
            "record-pending",
            "boolean",
            "true",
            "Whether running calls are recorded.",
            deprecated="calls are always recorded",
        ),
        S("requires", "text", "", "Unused.", deprecated="use the meta-attribute requires"),
        S("can-fail", "text", "", "Unused.", deprecated="leave it out"),
        S("role_after_failure", "text", "", "The role after a failure.", deprecated="leave it out"),
    )
)
"""Keys of an operation besides name, interval, meta and params; they may also stand in its meta, and in the operation defaults."""


def _of_action(action: str, inert: str = "", *, retries: str = "") -> tuple[Setting, ...]:
    """What is set for one action of a fencing device."""
    tries = f"How often `{action}` is tried within its timeout."
    return (
        S(f"pcmk_{action}_action", "text", action, f"The agent's command to use instead of `{action}`.", inert=inert),
        S(f"pcmk_{action}_timeout", "duration", "60s", f"How long `{action}` may take with this device.", inert=inert),
        S(f"pcmk_{action}_retries", "count", "2", tries, inert=retries or inert),
    )


FENCING_PARAMETERS = _table(
    (
        S("pcmk_host_map", "text", "", "Which port or plug each node is at: `node1:1;node2:2,3`."),
        S(
            "pcmk_host_list",
            "text",
            "",
            "The nodes that this device can fence, unless pcmk_host_check finds out otherwise.",
        ),
        S(
            "pcmk_host_check",
            "word",
            "",
            "How to find out which nodes the device can fence. Devices are not asked here: with dynamic-list and status it counts as able "
            "to fence every node.",
            ("static-list", "dynamic-list", "status", "none"),
        ),
        S("pcmk_delay_max", "duration", "0s", "The upper bound of a random delay before fencing."),
        S(
            "pcmk_delay_base",
            "text",
            "0s",
            "A fixed delay before fencing, for all nodes or for each: `node1:0s;node2:5s`.",
        ),
        S(
            "pcmk_action_limit",
            "integer",
            "1",
            "How many actions the device carries out at the same time; -1 means any number.",
            inert="nothing keeps a device from several actions at once",
        ),
        S(
            "pcmk_host_argument",
            "text",
            "port",
            "The agent's own parameter that takes the node's name or port; `none` for none.",
        ),
        *(setting for action in ("reboot", "off", "on") for setting in _of_action(action)),
        *_of_action("list", _NOT_ASKED),
        *_of_action("monitor", retries="a monitor is tried once"),
        *_of_action("status", _NOT_ASKED),
        S("provides", "text", "", "What the device provides besides fencing: `unfencing`."),
        S(
            "stonith-timeout",
            "duration",
            "",
            "How long the device's actions may take.",
            deprecated="use the pcmk_*_timeout parameters",
        ),
        S("priority", "integer", "0", "Which device is tried first.", deprecated="use fencing levels"),
    )
)
"""Parameters that any fencing device takes besides its agent's own; they are read by the cluster, not by the agent."""

BUNDLE_CONTAINER = _table(
    (
        S("image", "text", "", "The container image."),
        S("replicas", "count", "1", "How many containers run."),
        S("replicas-per-host", "count", "1", "How many of them may run on one node."),
        S("promoted-max", "count", "0", "How many replicas of the primitive inside may be promoted.", old=("masters",)),
        S("run-command", "text", "", "What is run inside; by default the remote daemon when there is a primitive."),
        S("network", "text", "", "The network of the container engine to use."),
        S("options", "text", "", "Further options for the container engine."),
    )
)
"""Keys of a bundle's container besides its type."""

BUNDLE_NETWORK = _table(
    (
        S("ip-range-start", "text", "", "The first replica's address; the others follow."),
        S("host-netmask", "count", "32", "The netmask of those addresses."),
        S("host-interface", "text", "", "The interface that carries them."),
        S("control-port", "integer", "3121", "The port on which the cluster reaches what runs inside."),
        S("add-host", "boolean", "true", "Whether the replicas know each other by name."),
    )
)
"""Keys of a bundle's network besides its ports."""

ALERT_META = _table(
    (
        S("timeout", "duration", "30s", "How long the alert's program may take."),
        S("timestamp-format", "text", "%H:%M:%S.%06N", "How times are written in what the program is told."),
        S("enabled", "boolean", "true", "Whether the alert is sent."),
    )
)
"""Meta-attributes of alerts and of their recipients."""

NODE_ATTRIBUTES = _table(
    (
        S("standby", "boolean", "false", "Whether the node is to run nothing."),
        S("maintenance", "boolean", "false", "Whether the cluster leaves everything on the node alone."),
    )
)
"""Node attributes that the cluster itself reads."""

DATE_SPEC_FIELDS = (
    "seconds",
    "minutes",
    "hours",
    "monthdays",
    "weekdays",
    "yeardays",
    "months",
    "weeks",
    "years",
    "weekyears",
    "moon",
)
"""Fields of a date specification; each takes a number or a range."""

DURATION_FIELDS = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")
"""Fields of a duration in a rule."""

RENAMED_ROLES = {"master": "Promoted", "slave": "Unpromoted"}
"""Roles by their former names (in any case)."""


def names_of(*tables: dict[str, Setting]) -> dict[str, tuple[Setting, bool]]:
    """Every spelling of the settings in the tables, with its setting and whether this spelling is outdated."""
    known: dict[str, tuple[Setting, bool]] = {}
    for table in tables:
        for setting in table.values():
            for spelling in (*setting.old, setting.stored):
                if spelling:
                    known.setdefault(spelling, (setting, True))
            known[setting.name] = (setting, False)
    return known

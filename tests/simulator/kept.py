"""Lives that once broke a rule, whole: what a seed draws changes with the simulator, and these do not."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.faults import Fault, Trouble
from reconciler.simulator.scenario import Scenario


class Kept(NamedTuple):
    """`why` is what was wrong. `configurations` give each resource's value, `faults` the time, trouble, host and detail of each."""

    why: str
    seed: int
    hosts: int
    configurations: str
    faults: str
    toy: bool = False
    quorum: str = "majority"
    options: str = "stonith-enabled=false start-failure-is-fatal=false"


def scenario_of(kept: Kept) -> Scenario:
    """The life as it was."""
    hosts = tuple(f"n{number}" for number in range(1, kept.hosts + 1))
    options = dict(pair.split("=") for pair in kept.options.split())
    configurations = tuple(_configuration(text, options) for text in kept.configurations.split(";"))
    return Scenario(
        kept.seed, hosts, configurations, tuple(map(_fault, kept.faults.strip().splitlines())), kept.toy, kept.quorum
    )


def _configuration(text: str, options: dict[str, str]) -> Configuration:
    agent = Agent("ocf", "Dummy", "reconciler")
    pairs = [pair.split("=") for pair in text.split()]
    resources = tuple(
        Primitive(name, agent, params=plain({"value": value}), operations=(Operation("monitor", "10s"),))
        for name, value in pairs
    )
    devices = (Primitive("power", Agent("stonith", "fence_lab")),) if options["stonith-enabled"] == "true" else ()
    return Configuration(options=plain(options), resources=(*devices, *resources))


def _fault(line: str) -> Fault:
    at_ms, trouble, host, *more = line.split()
    detail = int(more[0]) if more else 0
    others = tuple(more[1].split(",")) if len(more) > 1 else ()
    return Fault(int(at_ms), Trouble[trouble], host, detail, others)


KEPT = {
    "majority of returned": Kept(
        "last_man_standing: two went on, the others being fenced or gone, and lost their daemons; the three that came back "
        "were a majority, took themselves for the only ones, and started what ran there once more",
        16515,
        5,
        "a=1 b=2 c=1; a=2; a=2 b=2 c=1; a=1 b=2 c=2",
        """
        23606 CUT n4 0 n5
        23608 KILL_SOON n5 11
        29610 STOP n2
        49623 COMMIT n3 6006
        49636 HEAL n2
        49640 THAW n5
        55641 FULL_DISK n1
        55691 THAW n2
        55696 INVALID_COMMIT n3
        55755 TWO_COMMITS n5 53589 n3
        55774 KILL n3
        """,
        toy=True,
        quorum="last man standing",
        options="stonith-enabled=true stonith-action=off no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "swallowed monitor": Kept(
        "a cleanup that had nothing to forget swallowed the monitor that it had begun: the resource was never looked at again",
        16,
        1,
        "a=2 b=2; a=1 b=2; a=2; a=2 b=1 c=1",
        """
        3002 POWER_ON n1
        3004 COMMIT n1 60912
        23008 RESOURCE_DIES n1 29404
        23310 CLEANUP n1 55087
        23315 RESOURCE_DIES n1 55459
        """,
    ),
    "unwritten promise": Kept(
        "a promise whose record could not be written counted as durable once the disk was synchronised",
        270,
        3,
        "a=1 b=2; a=1; a=2; a=2 b=2 c=2",
        """
        3609 RESOURCE_DIES n3 49774
        9668 FULL_DISK n2
        9674 KILL n3
        11682 KILL n2
        13686 COMMIT n3 5430
        33689 RESOURCE_DIES n1 59802
        33703 FULL_DISK n3
        41712 START n3
        47715 STALE_VERDICTS n3
        47719 RESOURCE_DIES n1 36181
        48034 START n1
        54036 KILL_SOON n2 15
        54339 AGENT_HANGS n3 59609
        56357 COMMIT n2 55578
        56363 LATE_VERDICTS n3
        56416 REPLACE_DISK n3
        57070 REFRESH n3 9091
        57073 RESOURCE_DIES n2 5937
        57085 SLOW_DISK n1 4000
        57385 AGENT_FAILS n1 29193
        57685 CUT n3
        57689 CUT n2
        """,
    ),
    "one name for two states": Kept(
        "an installation without quorum changed the state and not its id: two states counted as one",
        525,
        3,
        "a=1 b=1; a=1 b=1 c=2; a=1 b=1; a=2",
        """
        3302 COMMIT n1 41688
        23314 STALE_VERDICTS n2
        23324 COMMIT n3 35796
        23328 COMMIT n3 47676
        23632 KILL_SOON n3 15
        55644 START n3
        61652 STOP n2
        61706 FREEZE n1
        68012 START n1
        68316 FREEZE n1
        """,
    ),
    "stopped and not looked up": Kept(
        "a node's report kept an entry of a start that it had itself stopped since, and nobody looked",
        10006,
        5,
        "a=1; a=1 b=1 c=1; a=1 b=2; a=1 b=2",
        """
        3013 FREEZE n5
        3023 THAW n5
        5026 KILL n5
        25026 COMMIT n4 65237
        45040 COMMIT n1 64733
        51045 KILL_SOON n4 13
        51059 FULL_DISK n2
        51063 FREEZE n1
        51120 AGENT_FAILS n4 60048
        71124 REFRESH n3 55305
        """,
    ),
    "forgiven and not told": Kept(
        "a failure was cleaned up before it was recovered from; that the monitor still failed was no news to the node, nor told",
        1009,
        3,
        "a=2 b=1 c=1; a=2; a=1; a=1",
        """
        3064 POWER_OFF n1
        3077 FENCING_FAILS n2
        3379 RESOURCE_DIES n2 28232
        13699 CLEANUP n3 8668
        """,
        toy=True,
        options="stonith-enabled=true stonith-action=reboot start-failure-is-fatal=false",
    ),
    "a grace of the view before": Kept(
        "a grace that a view without quorum had begun ended in the next one, where the other side may be quorate and it has no end",
        4377,
        2,
        "a=1 b=1 c=2; a=2 b=2 c=1; a=2 b=2 c=2; a=1 b=1",
        """
        71551 CUT n1
        97601 KILL_SOON n1 1
        97666 LATE_VERDICTS n2
        103970 START n1
        143988 POWER_OFF n1
        """,
        toy=True,
        quorum="two-node without waiting",
        options="stonith-enabled=false stonith-action=reboot no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "awake for four milliseconds": Kept(
        "no node was wrong: a host that went on for 4 ms between two freezes had no time to stop anything",
        5345,
        3,
        "a=2 b=1 c=1; a=1 b=2; a=1 b=2 c=2; a=1",
        """
        3005 FREEZE n2
        9014 THAW n2
        9018 FREEZE n2
        41348 KILL_SOON n3 7
        """,
        toy=True,
        options="stonith-enabled=false stonith-action=off no-quorum-policy=demote start-failure-is-fatal=false",
    ),
    "forged by who becomes the DC": Kept(
        "no node was wrong: the forged order of a start was sent by who had become the DC when it was delivered",
        7638,
        5,
        "a=2 b=1 c=2; a=1 b=2 c=2; a=1; a=1 b=1",
        """
        75120 KILL_SOON n4 8
        75175 KILL n1
        75231 FREEZE n2
        75235 FORGERY n3 21302
        """,
        toy=True,
        options="stonith-enabled=true stonith-action=reboot no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "excluded and running": Kept(
        "who had been excluded, and could not promise anything then, ended as if it was still heard, and let its service run",
        8109,
        2,
        "a=2 b=2; a=1 b=1 c=2; a=1 b=2 c=1; a=2",
        """
        3003 CUT n2
        3304 PAUSE n1
        23311 HEAL n2
        37986 FAILING_DISK n1
        49991 RESUME n1
        """,
        toy=True,
        quorum="qdevice",
        options="stonith-enabled=false stonith-action=reboot no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "taken in after a gap": Kept(
        "who could not keep an activation went on with what had been delivered after it, in the moment before it ended",
        11375,
        5,
        "a=1; a=1 b=1; a=1 b=2 c=2; a=1",
        """
        23008 SLOW_DISK n5 30000
        23029 COMMIT n4 9708
        55050 FAILING_DISK n5
        107686 FORGERY n4 17980
        """,
        toy=True,
        options="stonith-enabled=true stonith-action=reboot no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "left and running": Kept(
        "who was cut off and could not promise anything, as its disk was full, ended at once and let its service run",
        2006,
        4,
        "a=1 b=1; a=2; a=1 b=1; a=2 b=1 c=1",
        """
        3006 CUT n4 0 n2,n3
        3008 FULL_DISK n1
        43014 KILL n2
        """,
        toy=True,
        quorum="wait for all",
        options="stonith-enabled=false stonith-action=reboot no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "not wanted and frozen": Kept(
        "no node was wrong: a side that had just lost its quorum stopped what a commit had taken away, also under freeze",
        1714,
        4,
        "a=2 b=2; a=2; a=1; a=2 b=1",
        """
        3051 LATE_VERDICTS n2
        9360 THAW n1
        9374 FREEZE n4
        9376 COMMIT n1 53501
        9733 MEMORY n1
        """,
        toy=True,
        options="stonith-enabled=true stonith-action=reboot no-quorum-policy=freeze start-failure-is-fatal=false",
    ),
    "noted late": Kept(
        "no node was wrong: that a host stood still was noted up to 50 ms late, and its grace of 30 s thought not over after 30.04 s",
        140036,
        3,
        "a=2; a=2 b=2; a=1 b=1; a=1 b=2",
        """
        3300 THAW n3
        3310 FREEZE n1
        51380 POWER_ON n3
        """,
        toy=True,
        options="stonith-enabled=false stonith-action=off no-quorum-policy=stop start-failure-is-fatal=false",
    ),
    "told and planned before": Kept(
        "a start had ended, and nobody had heard it when the view ended: the DC planned from the report, before the result came after it",
        18664,
        2,
        "a=1; a=2 b=1 c=2; a=1; a=2",
        """
        5001 CLEANUP n1 19141
        7004 HEAL n1
        7308 COMMIT n2 21057
        7321 HEAL n1
        7371 SLOW_DISK n1 20
        7425 CUT n1
        """,
        toy=True,
        options="stonith-enabled=false stonith-action=off no-quorum-policy=freeze start-failure-is-fatal=false",
    ),
    "told and planned before, with three": Kept(
        "the same, by a commit that was activated while the start was under way",
        11163,
        3,
        "a=1 b=2 c=1; a=1; a=1 b=1 c=2; a=2",
        """
        5004 COMMIT n2 54338
        25009 STOP n3
        25010 KILL_SOON n1 19
        25068 COMMIT n2 12250
        27069 START n1
        27073 LATE_VERDICTS n2
        27178 CUT n1 0 n3
        33183 AGENT_FAILS n2 55318
        """,
        toy=True,
        options="stonith-enabled=false stonith-action=reboot no-quorum-policy=freeze start-failure-is-fatal=false",
    ),
    "blocked, removed and asked nothing": Kept(
        "no node was wrong: what could not be stopped and was removed then is watched by nobody, so its agent tells nothing",
        17452,
        2,
        "a=1 b=1 c=1; a=2 b=2 c=2; a=1; a=2",
        """
        23007 AGENT_HANGS n1 9935
        29325 COMMIT n2 1381
        132589 ATTRIBUTE n1 47612
        158723 COMMIT n1 22395
        """,
        toy=True,
        options="stonith-enabled=false stonith-action=off no-quorum-policy=freeze start-failure-is-fatal=false",
    ),
    "a stop that never ended": Kept(
        "no node was wrong: its stop timed out, which it had no memory left to take in, so it ended with what could not be stopped",
        9663,
        2,
        "a=2 b=1; a=1 b=2; a=2; a=2 b=2",
        """
        3116 AGENT_HANGS n1 36376
        25130 MEMORY n1 0
        31142 FREEZE n2 0
        51152 FREEZE n1 0
        """,
        toy=True,
        options="stonith-enabled=true stonith-action=off no-quorum-policy=stop start-failure-is-fatal=false",
    ),
}

"""Feeding a watchdog device: by virtual time against a device in memory, and by real daemons against a double of the kernel's."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.daemon import watchdog
from reconciler.daemon.config import SelfFencingConfig
from reconciler.daemon.watchdog import Watchdog
from reconciler.daemon.watchdog_device import WatchdogError
from reconciler.daemon.watchdog_record import ArmedWatchdog, WatchdogRecord

from . import watchdog_double
from .conftest import Node
from .watchdog_double import WatchdogDouble

CONFIG = SelfFencingConfig(watchdog="/dev/watchdog", timeout_s=10, handover_s=120)


class Machine:
    """A machine with a device, and a clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.timeout_s = 60
        self.most_s = 3600
        self.fed_s: float | None = None
        self.opened = self.tried = 0
        self.path = ""
        self.name = "a device in memory"
        self.stops = self.stays = True
        self.broken: str | None = None

    def open(self, path: str) -> Machine:
        self.tried += 1
        if self.broken is not None:
            raise WatchdogError(self.broken)
        self.path = path
        self.opened += 1
        self.fed_s = self.now_s
        return self

    @property
    def is_reset(self) -> bool:
        return self.fed_s is not None and self.now_s - self.fed_s > self.timeout_s

    def feed(self) -> None:
        if self.broken is not None:
            raise WatchdogError(self.broken)
        self.fed_s = self.now_s

    def set_timeout(self, seconds: int) -> int:
        if seconds <= self.most_s:
            self.timeout_s = seconds
        self.feed()
        return self.timeout_s

    def stop(self) -> None:
        if self.stops:
            self.fed_s = None
        else:
            self.leave()

    def leave(self) -> None:
        """Closed by whomever it is fed once more, and runs on; a driver that does not know the magic close stops it."""
        if not self.is_reset and self.fed_s is not None:
            self.fed_s = self.now_s if self.stays else None


class Lived:
    """A daemon's watchdog on a machine, and the node that it asks."""

    def __init__(
        self,
        machine: Machine,
        directory: Path,
        config: SelfFencingConfig = CONFIG,
        boot: str = "boot",
        *,
        promises: bool = False,
    ) -> None:
        self.promises: list[int] = []
        self.machine = machine
        self.member = self.may_feed = self.active = False
        self.told: list[tuple[bool, str]] = []
        self.record = WatchdogRecord(str(directory), boot)
        self.watchdog = Watchdog(
            config,
            self.record,
            self,
            lambda well, text: self.told.append((well, text)),
            lambda: machine.now_s,
            machine.open,  # type: ignore[arg-type]  # It has what is asked for.
            self.promises.append if promises else None,
        )
        self.watchdog.take_over()

    def be(self, *, member: bool, active: bool) -> None:
        """As the node says it: who is no member feeds it only while it runs nothing."""
        self.member, self.active, self.may_feed = member, active, member or not active

    def end(self, *, in_order: bool = True, comes_back: bool = False) -> None:
        """The daemon ends, and nothing can begin any more."""
        self.watchdog.end(in_order=in_order, comes_back=comes_back)
        self.watchdog.ended(in_order=in_order, comes_back=comes_back)

    def run(self, seconds: float) -> None:
        """Let time pass, as long as the machine is not reset."""
        end = self.machine.now_s + seconds
        while self.machine.now_s < end and not self.machine.is_reset:
            self.machine.now_s += min(self.watchdog.beat(), end - self.machine.now_s)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def member(machine: Machine, tmp_path: Path) -> Lived:
    """A member with quorum that runs something, with its device armed."""
    lived = Lived(machine, tmp_path)
    lived.be(member=True, active=True)
    lived.run(5)
    assert lived.watchdog.armed_s == 10
    return lived


def test_who_is_no_member_yet_arms_nothing(machine: Machine, tmp_path: Path) -> None:
    lived = Lived(machine, tmp_path)
    lived.be(member=False, active=True)
    lived.run(600)
    assert (machine.opened, lived.watchdog.armed_s, lived.watchdog.document()) == (0, None, None)


def test_without_a_device_nothing_happens(machine: Machine, tmp_path: Path) -> None:
    lived = Lived(machine, tmp_path, SelfFencingConfig())
    lived.be(member=True, active=True)
    lived.run(60)
    lived.end(in_order=True, comes_back=False)
    assert (machine.opened, lived.watchdog.starve("a test")) == (0, None)


def test_a_member_that_has_the_quorum_lives(member: Lived) -> None:
    member.run(600)
    assert not member.machine.is_reset
    assert [well for well, _ in member.told] == [True]


def test_a_loop_that_hangs_has_the_machine_reset_in_time(member: Lived) -> None:
    member.machine.now_s += 9
    assert not member.machine.is_reset
    member.machine.now_s += 2
    assert member.machine.is_reset


def test_who_has_lost_the_quorum_and_runs_something_is_reset_in_time(member: Lived) -> None:
    member.be(member=False, active=True)
    before_s = member.machine.now_s
    member.run(600)
    assert member.machine.is_reset
    assert member.machine.now_s - before_s <= 10.2
    told = {"path": "/dev/watchdog", "timeout_s": 10, "fed": False, "resets_within_s": None, "unpromised": None}
    assert member.watchdog.document() == told
    well, text = member.told[-1]
    assert not well
    assert "is not fed, and resets this machine within 10 s" in text


def test_who_has_lost_the_quorum_and_stops_in_time_lives(member: Lived) -> None:
    member.be(member=False, active=True)
    member.run(8)
    member.be(member=False, active=False)
    member.run(600)
    assert not member.machine.is_reset
    assert member.told[-1] == (True, "the watchdog is fed again")


def test_members_that_come_and_go_are_not_spoken_of(member: Lived) -> None:
    for _ in range(10):
        member.be(member=False, active=True)
        member.run(0.5)
        member.be(member=True, active=True)
        member.run(5)
    assert [well for well, _ in member.told] == [True]


def test_who_waits_for_its_disk_is_asked_again_soon(member: Lived) -> None:
    member.may_feed = False
    assert member.watchdog.beat() == 0.1
    member.may_feed = True
    assert member.watchdog.beat() == 1.0


def test_a_daemon_that_ends_and_runs_nothing_stops_it(member: Lived) -> None:
    member.be(member=True, active=False)
    member.end(in_order=True, comes_back=False)
    member.machine.now_s += 100_000
    assert not member.machine.is_reset
    assert member.record.read() is None


def test_what_nobody_can_stop_is_fed_by_the_next_daemon_though_nothing_runs(member: Lived, tmp_path: Path) -> None:
    """nowayout: the record was cleared, and a node without quorum was reset after a plain restart."""
    machine = member.machine
    machine.stops = False
    member.be(member=True, active=False)
    member.end(in_order=True, comes_back=True)
    machine.now_s += 60
    assert not machine.is_reset
    later = Lived(machine, tmp_path)
    later.be(member=False, active=False)
    later.run(600)
    assert not machine.is_reset, "it runs nothing, and is fed"
    later.end(in_order=True, comes_back=True)
    machine.now_s += 121
    assert machine.is_reset, "without another daemon"


def test_what_nobody_can_stop_and_waits_for_less_is_left_with_what_it_has(member: Lived, tmp_path: Path) -> None:
    machine = member.machine
    machine.stops, machine.most_s = False, 30
    member.end(in_order=True, comes_back=True)
    left = member.record.read()
    assert left is not None
    assert left.until_s == machine.now_s + machine.timeout_s


def test_a_device_that_is_named_no_longer_and_can_not_be_stopped_is_said(
    member: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(watchdog, "say", lambda level, text, **fields: said.append(f"{text}: {fields.get('reason')}"))
    member.machine.stops = False
    member.end(in_order=False, comes_back=True)
    Lived(member.machine, tmp_path, SelfFencingConfig())
    assert "/dev/watchdog can't be stopped by its driver: name it in node.yaml again" in said[-1]
    assert member.record.read() is not None, "once it is named again it is taken over"


def test_the_next_daemon_takes_over_what_runs(member: Lived, tmp_path: Path) -> None:
    machine = member.machine
    member.end(in_order=True, comes_back=False)
    machine.now_s += 100
    assert not machine.is_reset, "the upgrade takes its time"
    later = Lived(machine, tmp_path)
    assert later.watchdog.armed_s == 10
    later.be(member=False, active=True)
    later.run(15)
    assert not machine.is_reset, "it does not know yet what became of the others"
    later.be(member=True, active=True)
    later.run(2)
    later.be(member=False, active=True)
    later.run(11)
    assert machine.is_reset, "from now on it is fed by what the node says alone"


def test_nobody_is_fed_for_longer_because_the_daemon_was_replaced(member: Lived, tmp_path: Path) -> None:
    machine = member.machine
    member.end(in_order=True, comes_back=False)
    ended_s = machine.now_s
    machine.now_s += 60
    while not machine.is_reset:
        later = Lived(machine, tmp_path)
        later.be(member=False, active=True)
        later.run(20)
        later.end(in_order=False, comes_back=True)
    assert machine.now_s - ended_s <= 120 + 10 + 1


def test_without_a_next_daemon_the_machine_is_reset(member: Lived) -> None:
    member.end(in_order=True, comes_back=False)
    member.machine.now_s += 121
    assert member.machine.is_reset


def test_a_device_that_can_not_wait_for_so_long_is_stopped(member: Lived) -> None:
    """Nobody counts as fenced for its watchdog, so that this endangers nobody; an upgrade must not reset the machine."""
    member.machine.most_s = 60
    member.end(in_order=True, comes_back=False)
    member.machine.now_s += 100_000
    assert not member.machine.is_reset
    assert member.record.read() is None


def test_after_a_kill_the_next_daemon_has_the_time_of_a_handover_once(member: Lived, tmp_path: Path) -> None:
    machine = member.machine
    machine.now_s += 5
    killed_s = machine.now_s
    while not machine.is_reset:
        later = Lived(machine, tmp_path)
        later.be(member=False, active=True)
        later.run(20)
        machine.now_s += 3
    assert 120 <= machine.now_s - killed_s <= 120 + 10 + 4


def test_who_is_turned_away_leaves_no_time_to_the_next_daemon(member: Lived, tmp_path: Path) -> None:
    machine = member.machine
    member.end(in_order=False, comes_back=False)
    later = Lived(machine, tmp_path)
    later.be(member=False, active=True)
    later.run(11)
    assert machine.is_reset


def test_who_has_lost_the_quorum_gets_no_longer_time_by_being_ended(member: Lived, tmp_path: Path) -> None:
    """Without fencing the others start what runs here once their grace is over."""
    machine = member.machine
    member.be(member=False, active=True)
    member.run(5)
    lost_s = machine.now_s - 5
    member.end(in_order=True, comes_back=False)
    ended_s = machine.now_s
    machine.now_s += 11
    assert machine.is_reset, "the kernel has fed it once more when it was closed"
    machine.now_s = ended_s + 3
    while not machine.is_reset:
        later = Lived(machine, tmp_path)
        later.be(member=False, active=True)
        later.run(20)
        later.end(in_order=True, comes_back=False)
    assert machine.now_s - lost_s <= 10 + 120 + 10 + 1, "it has the time of a handover once"


def test_a_restart_while_members_come_and_go_has_the_time_of_a_handover(member: Lived) -> None:
    member.be(member=False, active=True)
    member.run(0.5)
    member.end(in_order=True, comes_back=False)
    member.machine.now_s += 119
    assert not member.machine.is_reset


def test_what_was_armed_before_the_machine_was_started_anew_is_over(member: Lived, tmp_path: Path) -> None:
    opened = member.machine.opened
    later = Lived(member.machine, tmp_path, boot="another boot")
    assert (member.machine.opened, later.watchdog.armed_s) == (opened, None)


def test_a_device_that_is_named_no_longer_is_stopped(member: Lived, tmp_path: Path) -> None:
    machine = member.machine
    member.end(in_order=True, comes_back=False)
    Lived(machine, tmp_path, SelfFencingConfig())
    machine.now_s += 100_000
    assert not machine.is_reset
    assert member.record.read() is None


def test_a_device_that_can_not_be_opened_is_said_and_tried_again(machine: Machine, tmp_path: Path) -> None:
    machine.broken = "/dev/watchdog can't be opened: busy"
    lived = Lived(machine, tmp_path)
    lived.be(member=True, active=True)
    lived.run(60)
    assert lived.watchdog.trouble == machine.broken
    assert machine.tried == 12, "every five seconds"
    machine.broken = None
    lived.run(6)
    assert (lived.watchdog.trouble, lived.watchdog.armed_s) == (None, 10)


def test_a_device_that_does_not_tell_its_time_is_stopped_and_not_armed_again_and_again(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untold(_: int) -> int:
        raise WatchdogError("/dev/watchdog does not tell its time")

    monkeypatch.setattr(machine, "set_timeout", untold)
    lived = Lived(machine, tmp_path)
    lived.be(member=True, active=True)
    lived.run(600)
    assert (machine.opened, machine.fed_s, lived.watchdog.armed_s) == (1, None, None)
    assert lived.watchdog.trouble == "/dev/watchdog does not tell its time"


def test_a_device_of_a_shorter_time_is_fed_more_often(machine: Machine, tmp_path: Path) -> None:
    machine.timeout_s, machine.most_s = 2, 1
    lived = Lived(machine, tmp_path)
    lived.be(member=True, active=True)
    lived.run(2)
    assert (lived.watchdog.armed_s, lived.watchdog.beat()) == (2, 0.5)
    assert "resets this machine 2 s after this node has failed (10 s were asked for)" in lived.told[0][1]


def test_who_starves_it_is_reset_at_once(member: Lived) -> None:
    assert member.watchdog.starve("a test") == 2
    member.run(3)
    assert member.machine.is_reset
    member.be(member=True, active=False)
    member.end(in_order=True, comes_back=False)
    assert member.machine.fed_s is not None, "whoever ends does not stop it"


def test_who_is_told_again_to_starve_it_does_not_feed_it_by_that(member: Lived) -> None:
    """A node that is cut off ends its machine, and again in the view that it then has alone."""
    before_s = member.machine.now_s
    while not member.machine.is_reset:
        assert member.watchdog.starve("a test") == 2
        member.run(0.5)
    assert member.machine.now_s - before_s <= 2.5


def test_the_next_daemon_does_not_feed_what_was_starved(member: Lived, tmp_path: Path) -> None:
    """A driver may take no time that is so short that no daemon is started within it."""
    machine = member.machine
    member.watchdog.starve("a test")
    member.end(in_order=False, comes_back=False)
    later = Lived(machine, tmp_path)
    later.be(member=False, active=True)
    later.run(11)
    assert machine.is_reset


def test_a_device_that_is_not_armed_yet_is_for_being_starved(machine: Machine, tmp_path: Path) -> None:
    lived = Lived(machine, tmp_path)
    assert lived.watchdog.starve("a test") == 2
    machine.now_s += 3
    assert machine.is_reset


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"boot": "boot"}',
        '{"boot": "boot", "path": 1, "until_s": null}',
        '{"boot": "boot", "path": "/dev/x", "until_s": "later"}',
    ],
)
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "watchdog").write_text(text)
    assert WatchdogRecord(str(tmp_path), "boot").read() is None


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = WatchdogRecord(str(tmp_path), "boot")
    for armed in (ArmedWatchdog("/dev/watchdog"), ArmedWatchdog("/dev/watchdog1", 12.5)):
        record.write(armed)
        assert record.read() == armed


# Real daemons


@pytest.fixture
def guarded(stopped_node: Node, tmp_path: Path) -> Iterator[tuple[Node, WatchdogDouble]]:
    """A node with a device, whose reset kills its daemon."""
    node = stopped_node
    double = WatchdogDouble(tmp_path / "dog", lambda: node.running.kill())
    node.program = [watchdog_double.__file__]
    node.extra = "self-fencing: {watchdog: dog, timeout: 5s, handover: 30s}"
    yield node, double
    double.close()


def test_a_daemon_that_is_replaced_while_something_runs_is_no_reason_to_reset_the_machine(
    guarded: tuple[Node, WatchdogDouble],
) -> None:
    node, double = guarded
    node.extra = node.extra.replace("timeout: 5s", "timeout: 12s")  # A busy machine takes its time to start a daemon.
    node.start()
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    node.wait(lambda: double.running and double.timeout_s == 12, "it is armed")
    told = {"path": str(double.path), "timeout_s": 12, "fed": True, "resets_within_s": None, "unpromised": None}
    assert node.status()["watchdog"] == told, "nobody is there to whom anything could be promised"
    node.stop()
    node.wait(lambda: double.timeout_s == 30, "it waits for the next daemon")
    assert double.running
    node.start()
    node.wait(lambda: double.timeout_s == 12, "it is taken over")
    node.kill()
    node.start()
    time.sleep(13)
    assert (double.fired, node.states()) == (0, {"a": "1"})
    node.extra = ""
    node.stop()
    node.start()
    node.wait(lambda: not double.running, "what is named no longer is stopped")


def test_a_daemon_that_is_killed_or_stands_still_while_something_runs_has_the_machine_reset(
    guarded: tuple[Node, WatchdogDouble],
) -> None:
    node, double = guarded
    node.start()
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    node.wait(lambda: double.running and double.timeout_s == 5, "it is armed")
    node.running.send_signal(signal.SIGSTOP)
    node.wait(lambda: double.fired == 1, "it fires", 7)
    assert node.running.wait(5) == -signal.SIGKILL
    node.start()
    node.wait(lambda: double.running and double.timeout_s == 5, "it is armed")
    node.kill()
    node.wait(lambda: double.fired == 2, "it fires", 7)


def test_a_daemon_that_ends_and_runs_nothing_leaves_it_stopped(guarded: tuple[Node, WatchdogDouble]) -> None:
    node, double = guarded
    node.start()
    node.wait(lambda: double.running, "it is armed")
    assert node.stop() == 0
    node.wait(lambda: not double.running, "it is stopped")
    assert double.fired == 0


SLOW = """
import sys, time
sys.path.insert(0, {directory!r})
import watchdog_double
from reconciler.controller import coordinator
from reconciler.daemon import watchdog_device
from reconciler.cli.main import main

watchdog_device.ioctl = watchdog_double.ioctl
real = coordinator.schedule

def schedule(cib, *words, **named):
    until = time.process_time() + 1.3
    while "slow" in {{resource.id for resource in cib.configuration.resources}} and time.process_time() < until:
        sum(range(1000))
    return real(cib, *words, **named)

coordinator.schedule = schedule
sys.exit(main(sys.argv[1:]))
"""
"""A daemon that takes as long for a decision as it may."""


def _used_s(pid: int) -> float:
    """How much processor time a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def starved(node: Node) -> Iterator[None]:
    """The daemon gets a twelfth of a processor: that much of its time is meant, whatever else the machine does."""
    over = threading.Event()

    def let_it_run() -> None:
        began_s, until_s = _used_s(node.running.pid), time.monotonic() + 0.5
        while _used_s(node.running.pid) - began_s < 0.08 and time.monotonic() < until_s:
            over.wait(0.01)

    def starve() -> None:
        while not over.is_set():
            let_it_run()
            node.running.send_signal(signal.SIGSTOP)
            over.wait(0.92)
            node.running.send_signal(signal.SIGCONT)

    starving = threading.Thread(target=starve)
    starving.start()
    try:
        yield
    finally:
        over.set()
        starving.join()


@pytest.mark.timeout(180)
def test_a_machine_that_hardly_lets_its_daemon_decide_is_not_reset_for_that(
    guarded: tuple[Node, WatchdogDouble],
) -> None:
    """A decision would take sixteen seconds, and the device has twelve."""
    node, double = guarded
    node.program = ["-c", SLOW.format(directory=str(Path(watchdog_double.__file__).parent))]
    node.extra = node.extra.replace("timeout: 5s", "timeout: 12s")
    node.client.timeout_s = 60
    node.start()
    node.write(node.configuration({"a": "1", "slow": "1"}, interval="3s"))
    node.at_rest_with({"a": "1", "slow": "1"})
    node.wait(lambda: double.running and double.timeout_s == 12, "it is armed")
    with starved(node):
        (node.path / "agents.log.a.state").unlink()
        node.wait(lambda: "as the machine is busy, and was put off" in node.daemon_log(), "it says so", 60)
        time.sleep(15)
        assert double.fired == 0
    node.wait(lambda: node.states() == {"a": "1", "slow": "1"}, "what failed runs again", 60)
    assert double.fired == 0

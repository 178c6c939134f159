"""What a machine's watchdog device promises to the others holds, whatever becomes of its daemons: by virtual time, a device in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import event, given, settings, target
from hypothesis import strategies as st

from reconciler.controller.quorum.self_stop import FRESH_MS
from reconciler.daemon.config import SelfFencingConfig
from reconciler.daemon.watchdog import Watchdog
from reconciler.daemon.watchdog_device import WatchdogError
from reconciler.daemon.watchdog_record import ArmedWatchdog, WatchdogRecord
from reconciler.daemon.watchdog_terms import WatchdogTerms

FRESH_S = FRESH_MS / 1000
CONFIGS = [
    SelfFencingConfig(path, timeout_s, handover_s)
    for path in ("/dev/watchdog", "/dev/watchdog1")
    for timeout_s, handover_s in ((5, 30), (15, 120), (60, 30), (5, 300))
] + [SelfFencingConfig()]


class Device:
    """One device of a machine, as Linux documents them, and its driver's faults."""

    def __init__(self, machine: Machine, path: str) -> None:
        self.machine = machine
        self.path = path
        self.name = "a device in memory"
        self.stops = self.stays = True
        self.timeout_s = 60
        self.most_s = 3600
        self.refuses = self.busy = False
        self.fires_at_s: float | None = None

    def opened(self) -> Device:
        if self.busy:
            raise WatchdogError(f"{self.path} can't be opened: busy")
        self._ping()
        return self

    def feed(self) -> None:
        if self.refuses:
            raise WatchdogError(f"{self.path} can't be written to: no")
        self._ping()

    def set_timeout(self, seconds: int) -> int:
        self.feed()
        if seconds <= self.most_s:
            self.timeout_s = seconds
        self._ping()
        return self.timeout_s

    def stop(self) -> None:
        if self.refuses or not self.stops:
            self.leave()
            if self.refuses:
                raise WatchdogError(f"{self.path} can't be written to: no")
        else:
            self.fires_at_s = None

    def leave(self) -> None:
        """Closed, by whomever: the kernel feeds it once more, or stops it where the driver does not know the magic close."""
        if self.fires_at_s is not None:
            self._ping()
            self.fires_at_s = self.fires_at_s if self.stays else None

    def _ping(self) -> None:
        if not self.machine.is_reset:
            self.fires_at_s = self.machine.now_s + self.timeout_s


class Record(WatchdogRecord):
    """One on a disk that may be full."""

    full = False

    def write(self, armed: ArmedWatchdog) -> None:
        if self.full:
            raise OSError("no space")
        super().write(armed)


class Machine:
    """A machine, what its daemons have told the others, and what those may count on: the last that was delivered to them."""

    def __init__(self, directory: Path) -> None:
        self.now_s = 1000.0
        self.devices = {path: Device(self, path) for path in ("/dev/watchdog", "/dev/watchdog1")}
        self.record = Record(str(directory), "boot")
        self.reset_at_s: float | None = None
        self.heard_s = float("-inf")
        """When it sent the last message that came back to it as a member among those who have quorum."""
        self.started_s = self.now_s
        self.cut = True
        self.active = False
        self.told_ms = 0
        self.counted_ms = 0
        """The promise of this machine that the others know."""
        self.watchdog: Watchdog | None = None
        self.frozen = False

    # The node

    @property
    def member(self) -> bool:
        return self.heard_s > self.started_s and self.now_s - self.heard_s <= FRESH_S

    @property
    def may_feed(self) -> bool:
        return self.member or not self.active

    @property
    def counted_on(self) -> bool:
        return self.counted_ms > 0

    # The machine

    @property
    def is_reset(self) -> bool:
        return self.reset_at_s is not None

    def start(self, config: SelfFencingConfig) -> None:
        if self.watchdog is None:
            self.told_ms, self.started_s = 0, self.now_s
            self.watchdog = Watchdog(
                config,
                self.record,
                self,
                lambda well, text: None,
                lambda: self.now_s,
                lambda path: self.devices[path].opened(),  # type: ignore[arg-type, return-value]  # It has what is asked for.
                self._tell,
            )
            self.watchdog.take_over()

    def _tell(self, within_ms: int) -> None:
        self.told_ms = within_ms

    def _hear(self) -> None:
        """As a member it is heard, and so is what it has told, before anything begins here."""
        if not self.cut and self.watchdog is not None and not self.frozen:
            self.heard_s = self.now_s
            self.counted_ms = self.told_ms

    def kill(self) -> None:
        device = None if self.watchdog is None else self.watchdog._device
        if device is not None:
            device.leave()
        self.watchdog, self.frozen = None, False

    def end(self, in_order: bool, comes_back: bool) -> None:
        if self.watchdog is not None and not self.frozen:
            self.watchdog.end(in_order=in_order, comes_back=comes_back)
            self.watchdog.ended(in_order=in_order, comes_back=comes_back)
            self.watchdog = None

    def begin(self) -> None:
        """Nothing begins but by an order that it hears as a member, after what it told was heard."""
        self._hear()
        if self.heard_s == self.now_s:
            self.active = True

    def starve(self) -> None:
        if self.watchdog is not None and not self.frozen:
            self.watchdog.starve("a test")

    def pass_time(self, seconds: float) -> None:
        """Until then, or until it is reset. Whoever runs something, has promised, and is not reset in time breaks the promise."""
        end_s, beat_s = self.now_s + seconds, self.now_s
        while self.now_s < end_s and not self.is_reset:
            if self.watchdog is not None and not self.frozen and self.now_s >= beat_s:
                self._hear()
                beat_s = self.now_s + self.watchdog.beat()
            step_s = beat_s if self.watchdog is not None and not self.frozen else end_s
            fires_s = [one.fires_at_s for one in self.devices.values() if one.fires_at_s is not None]
            self.now_s = min([end_s, step_s, *fires_s])
            if any(at_s <= self.now_s for at_s in fires_s):
                self.reset_at_s = self.now_s
            self.check()

    def check(self) -> None:
        if self.active and self.counted_ms:
            assert self.now_s <= self.heard_s + self.counted_ms / 1000, "the others count on its being reset by now"


Action = Callable[[Machine], None]


def _named(name: str, action: Action) -> Action:
    action.__name__ = name
    return action


def _set(name: str, value: object) -> Action:
    return _named(f"{name}={value}", lambda machine: setattr(machine, name, value))


def _set_device(name: str, value: object) -> Action:
    def action(machine: Machine) -> None:
        for device in machine.devices.values():
            setattr(device, name, value)

    return _named(f"devices.{name}={value}", action)


def _fill(full: bool) -> Action:
    return _named(f"full={full}", lambda machine: setattr(machine.record, "full", full))


ACTIONS = st.one_of(
    st.sampled_from((0.05, 1, 3, 4.9, 5.1, 14.9, FRESH_S, 29, 31, 59, 119, 121, 299)).map(
        lambda s: _named(f"pass {s}", lambda machine: machine.pass_time(s))
    ),
    st.sampled_from(CONFIGS).map(
        lambda c: _named(f"start {c.watchdog} {c.timeout_s} {c.handover_s}", lambda m: m.start(c))
    ),
    st.sampled_from(
        (
            _named("kill", Machine.kill),
            _named("begin", Machine.begin),
            _named("starve", Machine.starve),
            _named("joined", lambda machine: (setattr(machine, "cut", False), machine.pass_time(2))[1]),
            _set("cut", True),
            _set("active", False),
            _set("frozen", True),
            _set("frozen", False),
            _fill(True),
            _fill(False),
        )
    ),
    st.tuples(st.booleans(), st.booleans()).map(lambda how: _named(f"end {how}", lambda machine: machine.end(*how))),
)
BREAKS = st.sampled_from(
    (
        _set_device("refuses", True),
        _set_device("refuses", False),
        _set_device("busy", True),
        _set_device("busy", False),
        _set_device("most_s", 20),
        _set_device("most_s", 3600),
    )
)
DRIVERS = st.tuples(st.booleans(), st.booleans(), st.sampled_from((3600, 100, 20)))


def _live(first: SelfFencingConfig, driver: tuple[bool, bool, int], actions: list[Action]) -> Machine:
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(Path(directory))
        for device in machine.devices.values():
            device.stops, device.stays, device.most_s = driver
        machine.cut = False
        machine.start(first)
        machine.pass_time(5)
        machine.begin()
        for action in actions:
            action(machine)
            machine.check()
            if machine.is_reset:
                break
        machine.cut = True
        machine.pass_time(10_000)
        return machine


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CONFIGS), DRIVERS, st.lists(st.one_of(ACTIONS, ACTIONS, ACTIONS, BREAKS), max_size=30))
def test_whoever_runs_something_is_reset_within_what_was_promised(
    first: SelfFencingConfig, driver: tuple[bool, bool, int], actions: list[Action]
) -> None:
    machine = _live(first, driver, actions)
    if machine.counted_ms and machine.reset_at_s is not None and machine.active:
        target(machine.reset_at_s - machine.heard_s - machine.counted_ms / 1000, label="how near to its end")
    event(f"promised: {machine.counted_ms > 0}, reset: {machine.is_reset}")


# The paths one by one

DEFAULT = SelfFencingConfig("/dev/watchdog", 15, 120)
PROMISED_MS = 120_000 + 4 * 15_000 + FRESH_MS + 2_000


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A member with quorum that runs something, which the others were promised to hear no more of in time."""
    made = Machine(tmp_path)
    made.cut = False
    made.start(DEFAULT)
    made.pass_time(5)
    made.begin()
    assert made.counted_ms == PROMISED_MS
    return made


def _cut_off_and_frozen_when_it_was_fed_last(machine: Machine) -> float:
    """It was fed for the last time, as late as may be; the moment at which it was a member for the last time."""
    machine._hear()
    machine.cut = True
    machine.pass_time(FRESH_S)
    device = machine.devices["/dev/watchdog"]
    assert device.fires_at_s is not None
    assert device.fires_at_s - machine.now_s > device.timeout_s - 1.1
    machine.frozen = True
    return machine.heard_s


def test_the_worst_chain_takes_nearly_as_long_as_is_promised(machine: Machine) -> None:
    """Each daemon stands still once it has fed for the last time, and is killed just before the device would fire."""
    heard_s = _cut_off_and_frozen_when_it_was_fed_last(machine)
    machine.pass_time(13.9)
    machine.kill()
    machine.pass_time(14.9)
    machine.start(DEFAULT)
    machine.pass_time(119.9)
    machine.frozen = True
    machine.pass_time(13.9)
    machine.kill()
    machine.start(DEFAULT)
    machine.pass_time(1000)
    assert machine.reset_at_s is not None
    assert PROMISED_MS / 1000 - 8 <= machine.reset_at_s - heard_s <= PROMISED_MS / 1000


def test_a_daemon_that_is_killed_again_and_again_does_not_feed_for_ever(machine: Machine) -> None:
    """Opening the device feeds it: whoever comes after the time of the handover must not."""
    machine.cut = True
    while not machine.is_reset:
        machine.kill()
        machine.start(DEFAULT)
        machine.pass_time(3)


def test_whoever_can_not_write_the_time_down_does_not_take_it(machine: Machine) -> None:
    machine.cut = True
    machine.kill()
    machine.record.full = True
    machine.start(DEFAULT)
    machine.pass_time(FRESH_S + 16)
    assert machine.is_reset, "the one after it would have taken the same time again"


def test_nothing_is_promised_before_it_is_written_down(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cut, machine.record.full = False, True
    machine.start(DEFAULT)
    machine.pass_time(60)
    assert (machine.counted_ms, machine.devices["/dev/watchdog"].timeout_s) == (0, 15)
    machine.record.full = False
    machine.pass_time(6)
    assert machine.counted_ms == PROMISED_MS


@pytest.mark.parametrize(
    ("stays", "most_s", "why"),
    [
        (False, 3600, "stops it when the daemon is killed"),
        (True, 100, r"can't wait 120 s for the next daemon"),
    ],
)
def test_a_driver_that_does_not_keep_it_promises_nothing(tmp_path: Path, stays: bool, most_s: int, why: str) -> None:
    machine = Machine(tmp_path)
    device = machine.devices["/dev/watchdog"]
    device.stays, device.most_s, machine.cut = stays, most_s, False
    machine.start(DEFAULT)
    machine.pass_time(60)
    assert (machine.counted_ms, device.timeout_s) == (0, 15)
    told = machine.watchdog.document() if machine.watchdog is not None else None
    assert told is not None
    assert (told["resets_within_s"], why in told["unpromised"]) == (None, True)


def test_a_driver_that_grants_longer_times_promises_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path)
    device, granted = machine.devices["/dev/watchdog"], {15: 20, 120: 180}
    monkeypatch.setattr(device, "set_timeout", lambda s: Device.set_timeout(device, granted[s]))
    machine.cut = False
    machine.start(DEFAULT)
    machine.pass_time(5)
    assert machine.counted_ms == WatchdogTerms(20, 180).within_ms


def test_longer_times_count_once_the_others_have_heard_that_the_promise_is_taken_back(machine: Machine) -> None:
    machine.end(in_order=True, comes_back=False)
    machine.start(SelfFencingConfig("/dev/watchdog", 60, 600))
    machine.pass_time(FRESH_S)
    device = machine.devices["/dev/watchdog"]
    assert (device.timeout_s, machine.told_ms) == (15, 0)
    assert machine.watchdog is not None
    assert "with timeout 15 s and handover 120 s" in (machine.watchdog.kept or "")
    machine.pass_time(10)
    assert (device.timeout_s, machine.counted_ms) == (60, WatchdogTerms(60, 600).within_ms)
    assert machine.watchdog.kept is None


def test_shorter_times_are_promised_anew(machine: Machine) -> None:
    shorter = SelfFencingConfig("/dev/watchdog", 5, 30)
    machine.end(in_order=True, comes_back=False)
    machine.start(shorter)
    machine.pass_time(5)
    assert machine.counted_ms == WatchdogTerms(5, 30).within_ms
    machine.kill()
    machine.cut = True
    machine.start(DEFAULT)
    machine.pass_time(5)
    assert machine.devices["/dev/watchdog"].timeout_s == 5, "which is not weakened as long as the others count on it"


@pytest.mark.parametrize("config", [SelfFencingConfig(), SelfFencingConfig("/dev/watchdog1", 15, 120)])
def test_a_device_that_is_named_no_longer_is_fed_until_the_others_have_heard_that_the_promise_is_taken_back(
    machine: Machine, config: SelfFencingConfig
) -> None:
    machine.end(in_order=True, comes_back=False)
    machine.start(config)
    machine.pass_time(FRESH_S)
    former = machine.devices["/dev/watchdog"]
    assert (former.fires_at_s is None, machine.told_ms) == (False, 0)
    assert machine.watchdog is not None
    assert "/dev/watchdog goes on guarding this machine" in (machine.watchdog.kept or "")
    machine.pass_time(20)
    assert (former.fires_at_s, machine.watchdog.kept) == (None, None)
    assert (machine.devices["/dev/watchdog1"].fires_at_s is None) is (config.watchdog is None)
    machine.pass_time(600)
    assert machine.counted_ms == (0 if config.watchdog is None else PROMISED_MS)


def test_a_device_that_is_named_no_longer_resets_who_is_cut_off_before_that(machine: Machine) -> None:
    machine.end(in_order=True, comes_back=False)
    machine.start(SelfFencingConfig())
    machine.pass_time(2)
    machine.cut = True
    machine.pass_time(FRESH_S + 20)
    assert machine.is_reset


def test_one_that_can_not_be_stopped_is_fed_on(machine: Machine) -> None:
    machine.devices["/dev/watchdog"].stops = False
    machine.end(in_order=True, comes_back=False)
    machine.start(SelfFencingConfig())
    machine.pass_time(600)
    assert (machine.is_reset, machine.counted_ms) == (False, 0)


def test_who_has_stopped_it_takes_the_promise_back_before_anything_begins(machine: Machine) -> None:
    """And may promise less, as nothing ran in between."""
    machine.active = False
    machine.end(in_order=True, comes_back=False)
    assert (machine.devices["/dev/watchdog"].fires_at_s, machine.record.read()) == (None, None)
    machine.start(SelfFencingConfig("/dev/watchdog1", 60, 600))
    assert machine.told_ms == 0
    machine.pass_time(5)
    assert machine.counted_ms == WatchdogTerms(60, 600).within_ms


def test_a_device_that_was_promised_and_does_not_run_is_withdrawn(machine: Machine) -> None:
    machine.kill()
    machine.devices["/dev/watchdog"].busy, machine.devices["/dev/watchdog"].fires_at_s = True, None
    machine.start(DEFAULT)
    machine.pass_time(60)
    assert machine.told_ms == PROMISED_MS, "it may run yet"
    machine.pass_time(70)
    assert (machine.told_ms, machine.record.read()) == (0, None)


def test_a_device_that_can_not_be_fed_is_withdrawn_as_long_as_that_is_so(machine: Machine) -> None:
    machine.devices["/dev/watchdog"].refuses = True
    machine.pass_time(2)
    assert machine.counted_ms == 0
    machine.devices["/dev/watchdog"].refuses = False
    machine.pass_time(2)
    assert machine.counted_ms == PROMISED_MS


def test_a_device_that_was_promised_is_not_stopped_where_it_can_not_wait(machine: Machine) -> None:
    """It could when that was tried."""
    machine.devices["/dev/watchdog"].most_s = 100
    machine.end(in_order=True, comes_back=False)
    machine.pass_time(16)
    assert machine.is_reset


def test_what_begins_while_the_daemon_ends_is_guarded(machine: Machine) -> None:
    machine.active = False
    assert machine.watchdog is not None
    machine.watchdog.end(in_order=True, comes_back=False)
    machine.pass_time(10)
    machine.begin()
    machine.watchdog.ended(in_order=True, comes_back=False)
    machine.watchdog = None
    machine.pass_time(121)
    assert machine.is_reset


def test_what_was_starved_is_opened_by_no_later_daemon(machine: Machine) -> None:
    machine.starve()
    device = machine.devices["/dev/watchdog"]
    fires_at_s = device.fires_at_s
    machine.end(in_order=True, comes_back=False)
    machine.start(DEFAULT)
    machine.pass_time(1)
    assert device.fires_at_s == fires_at_s

"""The door to a watchdog device, against the kernel's header and a double of the kernel's device."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from machine import needs, needs_headers

from reconciler.daemon import watchdog_device
from reconciler.daemon.watchdog_device import WatchdogDevice, WatchdogError

from .watchdog_double import FORMER_S, WatchdogDouble, ioctl

PROGRAM = """\
#include <linux/watchdog.h>
#include <stdio.h>
int main(void) {
    printf("%zu %u %u %u %d %d", sizeof(struct watchdog_info), (unsigned) WDIOC_GETSUPPORT, (unsigned) WDIOC_SETTIMEOUT,
           (unsigned) WDIOC_GETTIMEOUT, WDIOF_SETTIMEOUT, WDIOF_MAGICCLOSE);
    return 0;
}
"""


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchdogDouble]:
    monkeypatch.setattr(watchdog_device, "ioctl", ioctl)
    made = WatchdogDouble(tmp_path / "watchdog")
    yield made
    made.close()


def wait(reached: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)


@needs("gcc")
@needs_headers("stdio.h", "linux/watchdog.h")
def test_the_calls_are_those_of_the_kernel_s_header(tmp_path: Path) -> None:
    source, program = tmp_path / "codes.c", tmp_path / "codes"
    source.write_text(PROGRAM)
    subprocess.run(["gcc", "-o", str(program), str(source)], check=True)
    found = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert [int(number) for number in found.split()] == [
        watchdog_device._INFO.size,
        watchdog_device.GET_SUPPORT,
        watchdog_device.SET_TIMEOUT,
        watchdog_device.GET_TIMEOUT,
        watchdog_device._SETS_TIMEOUT,
        watchdog_device._MAGIC_CLOSE,
    ]


def test_it_is_armed_by_opening_it_and_stopped_by_the_magic_close(double: WatchdogDouble) -> None:
    device = WatchdogDevice(str(double.path))
    assert (double.running, device.name, device.stops, device.timeout_s) == (True, "a double", True, FORMER_S)
    assert device.set_timeout(20) == 20
    device.feed()
    wait(lambda: double.writes == 2)
    device.stop()
    wait(lambda: not double.running)
    assert double.fired == 0


def test_left_alone_it_resets_the_machine(double: WatchdogDouble) -> None:
    device = WatchdogDevice(str(double.path))
    device.set_timeout(1)
    for _ in range(4):
        time.sleep(0.4)
        device.feed()
    assert double.fired == 0
    device.leave()
    wait(lambda: double.fired == 1)


def test_a_time_that_it_does_not_take_leaves_the_former_one(double: WatchdogDouble) -> None:
    double.most_s = 100
    device = WatchdogDevice(str(double.path))
    assert device.set_timeout(300) == FORMER_S
    device.stop()


def test_one_that_takes_no_time_at_all_has_its_own(double: WatchdogDouble) -> None:
    double.options = 0x8000
    device = WatchdogDevice(str(double.path))
    assert (device.set_timeout(10), device.stops) == (FORMER_S, False)
    device.leave()


def test_one_that_does_not_know_the_magic_close_is_stopped_by_any(double: WatchdogDouble) -> None:
    """So nobody can count on it: a daemon that is killed stops it, too."""
    double.options = 0x8080
    device = WatchdogDevice(str(double.path))
    assert not device.stays
    device.leave()
    wait(lambda: not double.running)
    assert double.fired == 0


def test_what_is_no_watchdog_is_refused_and_nothing_is_written_to_it(tmp_path: Path) -> None:
    other = tmp_path / "file"
    other.write_bytes(b"precious")
    with pytest.raises(WatchdogError, match="is no watchdog device"):
        WatchdogDevice(str(other))
    assert other.read_bytes() == b"precious"
    with pytest.raises(WatchdogError, match="can't be opened: No such file"):
        WatchdogDevice(str(tmp_path / "missing"))


def test_one_that_somebody_else_feeds_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> int:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "open", busy)
    with pytest.raises(WatchdogError, match="sbd, or RuntimeWatchdogSec"):
        WatchdogDevice("/dev/watchdog")


def test_who_lets_nobody_out_does_not_stop(
    double: WatchdogDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver says that it can, whatever the kernel was told."""
    monkeypatch.setattr(watchdog_device, "SYSFS", str(tmp_path))
    said = tmp_path / "class" / "watchdog" / "watchdog0" / "nowayout"
    device = WatchdogDevice(str(double.path))
    assert device.stops, "nothing is said of it"
    said.parent.mkdir(parents=True)
    for text, stops in (("0\n", True), ("1\n", False)):
        said.write_text(text)
        assert (device.stops, device.stays) == (stops, True)
    device.leave()
    double.options = 0x8080
    device = WatchdogDevice(str(double.path))
    for text, stops in (("0\n", True), ("1\n", False)):
        said.write_text(text)
        assert (device.stops, device.stays) == (stops, not stops)
    device.leave()

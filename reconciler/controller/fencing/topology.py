"""How a target can be fenced: levels of devices, and the steps that a level takes.

Source: Pacemaker Explained, "Fencing Topology": a level succeeds when all its devices do; with more than one, a reboot is switching all of
them off, then all of them on, and once they are off the target is down whatever becomes of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen

# Pacemaker's defaults of pcmk_ACTION_timeout and pcmk_ACTION_retries.
DEFAULT_TIMEOUT_MS = 60_000
DEFAULT_RETRIES = 2  # Pacemaker's, where a device does not say it (pcmk_reboot_retries).


@frozen
class Device:
    """A fence device. `timeouts_ms` and `retries` are by action; `delay_ms` is the least it waits before the first try and
    `delay_most_ms` the most, between which chance decides. `kept_from` are the nodes that may not use it. `waits`: it is the target's own
    watchdog, for which somebody waits as long as the timeout.
    """

    name: str
    timeouts_ms: Mapping[str, int] = field(default_factory=dict)
    retries: Mapping[str, int] = field(default_factory=dict)
    delay_ms: int = 0
    delay_most_ms: int = 0
    kept_from: frozenset[str] = frozenset()
    waits: bool = False

    def timeout_ms(self, action: str) -> int:
        """How long the agent may take for an action."""
        return self.timeouts_ms.get(action, DEFAULT_TIMEOUT_MS)

    def tries(self, action: str) -> int:
        """How often an action is tried with it before the level has failed."""
        return max(1, self.retries.get(action, DEFAULT_RETRIES))


@frozen
class FenceStep:
    """One call: this device does this action. After `decides`, all that makes the target down has been done.

    `waits`: nothing is called, but waited for the target's own watchdog.
    """

    device: str
    action: str
    decides: bool
    waits: bool = False


Levels = tuple[tuple[Device, ...], ...]
"""The levels of a target, the first to be tried first."""


def steps(level: tuple[Device, ...], action: str) -> tuple[FenceStep, ...]:
    """What a level takes for an action."""
    if action != "reboot" or len(level) == 1:
        return tuple(FenceStep(device.name, action, device is level[-1], device.waits) for device in level)
    offs = tuple(FenceStep(device.name, "off", device is level[-1], device.waits) for device in level)
    return offs + tuple(FenceStep(device.name, "on", False) for device in level if not device.waits)

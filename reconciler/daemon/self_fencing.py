"""Ending this machine at once, without ending anything in order: as node.yaml allows it, by the kernel, and by the watchdog device besides.

Source: Linux, Magic System Request Key Hacks (`b` reboots, `o` switches off).
"""

from __future__ import annotations

import logging
import os

from reconciler.cib import Cib
from reconciler.controller.cut_off import panics
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.standing import quorum_policy
from reconciler.daemon.config import SelfFencingConfig
from reconciler.daemon.log import say
from reconciler.daemon.watchdog import Watchdog
from reconciler.errors import ReconcilerError

_LETTERS = {"reboot": b"b", "off": b"o"}


class SelfFencingError(ReconcilerError):
    """This machine can't be ended."""

    code = "self-fencing"


class SelfFencing:
    """Ends the machine of one node."""

    def __init__(self, config: SelfFencingConfig, watchdog: Watchdog) -> None:
        self._config = config
        self._watchdog = watchdog

    async def __call__(self, why: str) -> None:
        """End it. Where that works nothing follows; it is waited for where the watchdog alone does it.

        **Raises** SelfFencingError where nothing can.
        """
        say(logging.CRITICAL, "this node ends its machine", reason=why)
        within_s = self._watchdog.starve(why)
        failed = self._ask_the_kernel()
        if within_s is None:
            raise SelfFencingError(failed)
        say(logging.CRITICAL, f"the watchdog resets this machine within {within_s} s", reason=failed)

    def _ask_the_kernel(self) -> str:
        """What did not work: who is ended does not hear of it."""
        if self._config.sysrq is None:
            return "`self-fencing: {sysrq: …}` in node.yaml does not allow it"
        try:
            descriptor = os.open(self._config.trigger, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, _LETTERS[self._config.sysrq])
            finally:
                os.close(descriptor)
        except OSError as error:
            return f"{self._config.trigger} can't be written to: {error.strerror}"
        return f"the kernel did not do what was written to {self._config.trigger}"

    def lacking(self, cib: Cib) -> str | None:
        """What the configuration wants this node to do to its own machine, and it can't; None where it can, or nothing is wanted."""
        wanted = []
        if quorum_policy(cib) is QuorumPolicy.FENCE:
            wanted.append("no-quorum-policy: fence")
        if panics(cib):
            wanted.append("fencing-reaction: panic")
        if not wanted or self._config.sysrq is not None or self._watchdog.armed_s is not None:
            return None
        text = "this node can't end its own machine (`self-fencing` in node.yaml), and stops what it runs instead"
        return f"{' and '.join(wanted)}: {text}"

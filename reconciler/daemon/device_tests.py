"""Whether fence devices answer: asked of all members by any, and told by each for itself.

Nobody can ask a device in another one's place: that it is reached from one machine says nothing of another. The question and each answer
are node attributes with names that agents have no use for: they reach all members in order, they are told on until they were
delivered, and members of other versions take them. The question is a node's own (`#fence-test`), the answer each member's
(`#fence-tested`). Only what turns no machine off is called: `monitor`, and `list` where only the device knows its hosts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from reconciler.analysis.fence_devices import agent_of, enabled, kept_from, lists_its_hosts, parameters
from reconciler.cib.observations import transient
from reconciler.controller.events import AttributesTold
from reconciler.controller.standing import fences, option
from reconciler.daemon.device_record import MOST_DEVICES, DeviceRecord, plain_text, read_devices
from reconciler.daemon.log import say
from reconciler.daemon.shell import Shell, moment
from reconciler.daemon.untested_devices import untested
from reconciler.frozen import frozen
from reconciler.model.duration import interval_ms
from reconciler.model.resource import Agent, Primitive

QUESTION, ANSWER = "#fence-test", "#fence-tested"
_AT_ONCE = 4
_MOST_WAITING = 4
_LARGEST_QUESTION = 64 * 1024
_MOST_NODES = 64


@frozen
class DeviceCall:
    """A device that is to be asked: by which agent, with which parameters, and how long each of its calls may take."""

    device: str
    agent: Agent
    parameters: Mapping[str, str]
    lists: bool
    timeout_ms: int


DeviceTester = Callable[[DeviceCall], Coroutine[Any, Any, tuple[bool, str]]]
"""What asks a device: whether it works, and if not why."""


@frozen
class DeviceQuestion:
    """What is asked: of which nodes (none: all) about which devices (none: all)."""

    id: str
    nodes: tuple[str, ...]
    devices: tuple[str, ...]


class DeviceTests:
    """This node's part: it asks, and answers for itself."""

    def __init__(self, shell: Shell, tester: DeviceTester, record: DeviceRecord) -> None:
        self._shell = shell
        self._tester = tester
        self._record = record
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._answered = ""
        self._known: tuple[tuple[str | None, ...], dict[str, Any]] = ((), {})

    def ask(self, nodes: Collection[str], devices: Collection[str]) -> str:
        """Ask members; the name of the question."""
        id = f"{self._shell.node.name}-{time.time_ns():x}"
        question = {"id": id, "nodes": sorted(nodes), "devices": sorted(devices)}
        self._shell.tell(AttributesTold(moment(), {QUESTION: plain_text(question)}))
        return id

    def tell_again(self) -> None:
        """Tell what is known here: after a start, and after this node was away, the others know nothing of it."""
        if self._record.devices:
            self._tell()

    def heard(self, fields: Mapping[str, Any]) -> None:
        """An attribute was told: if it is a question for us, answer it in our own time."""
        if fields.get("name") != QUESTION or (asked := question_of(fields.get("value"))) is None:
            return
        if asked.nodes and self._shell.node.name not in asked.nodes:
            return
        if self._waiting >= _MOST_WAITING:
            say(logging.WARNING, "fence devices are not tested once more: so many tests wait already", id=asked.id)
            return
        self._waiting += 1
        self._shell.supervisor.begin(self._answer(asked))

    def within_s(self) -> float:
        """How long it takes at most until a member has asked all its devices."""
        longest_ms = max((call.timeout_ms * (1 + call.lists) for call in self._calls(())), default=0)
        rounds = -(-len(self._calls(())) // _AT_ONCE)
        return rounds * longest_ms / 1000

    def devices(self) -> dict[str, list[str]]:
        """By device that may be used the nodes that may not use it."""
        configuration = self._shell.node.replica.cib.configuration
        return {one.id: sorted(kept_from(configuration, one)) for one in enabled(configuration)}

    def document(self) -> dict[str, Any]:
        """What each node has told: by node the question that it has answered, and by device its last test."""
        cib = self._shell.node.replica.cib
        told = {state.name: transient(state).get(ANSWER) for state in cib.status.nodes}
        key = tuple(text for one in sorted(told.items()) for text in one)
        if self._known[0] != key:
            self._known = key, {node: _answer(text) for node, text in sorted(told.items()) if text is not None}
        return self._known[1]

    def texts(self) -> list[str]:
        """What status says of devices that did not answer a member the last time, and of those that nobody knows to work."""
        shared = self._shell.node.replica.shared
        failed = [
            (node, device, one)
            for node, answer in self.document().items()
            for device, one in answer["devices"].items()
            if not one["works"]
        ]
        usable = self.devices()
        unsure = (
            untested(shared.cib, usable, self._shell.node.members, self.document(), shared.fencing.history, time.time())
            if usable and fences(shared.cib) and self._shell.parts.fabric.kind != "lab"
            else []
        )
        return unsure + [
            f"{node} got no answer from the fence device {device} at {_date(one['at'])}: {one['why']} (reconciler fence test)"
            for node, device, one in failed
            if device in usable and node not in usable[device]
        ]

    async def _answer(self, asked: DeviceQuestion) -> None:
        async with self._one_at_a_time:
            self._waiting -= 1
            slots = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(self._test(call, slots) for call in self._calls(asked.devices)))
            configuration = self._shell.node.replica.cib.configuration
            try:
                await asyncio.to_thread(self._record.keep, {one.id for one in enabled(configuration)})
            except OSError as error:
                say(logging.WARNING, "the tests of fence devices could not be written down", reason=str(error))
            self._answered = asked.id
            self._tell()

    async def _test(self, call: DeviceCall, slots: asyncio.Semaphore) -> None:
        async with slots:
            works, why = False, ""
            with self._shell.supervisor.guarded() as caught:
                works, why = await self._tester(call)
            if caught.error is not None:
                why = f"it could not be asked: {caught.error}"
        self._record.note(call.device, works, int(time.time()), why)
        say(logging.INFO if works else logging.WARNING, "a fence device was tested", device=call.device, reason=why)

    def _calls(self, names: Collection[str]) -> list[DeviceCall]:
        """The devices that this node may use, of those that are named."""
        cib, own = self._shell.node.replica.cib, self._shell.node.name
        longest_ms = interval_ms(option(cib, "stonith-timeout", "60s"))
        found = []
        for device in list(enabled(cib.configuration))[:MOST_DEVICES]:
            agent = agent_of(cib.configuration, device)
            if (names and device.id not in names) or agent is None or own in kept_from(cib.configuration, device):
                continue
            found.append(self._call(device, agent, longest_ms))
        return found

    def _call(self, device: Primitive, agent: Agent, longest_ms: int) -> DeviceCall:
        configuration = self._shell.node.replica.cib.configuration
        values = parameters(configuration, device)
        timeout_ms = interval_ms(values["pcmk_monitor_timeout"]) if "pcmk_monitor_timeout" in values else longest_ms
        return DeviceCall(device.id, agent, values, lists_its_hosts(configuration, device), timeout_ms)

    def _tell(self) -> None:
        told = {"id": self._answered, "devices": self._record.document()}
        self._shell.tell(AttributesTold(moment(), {ANSWER: plain_text(told)}))


def question_of(value: object) -> DeviceQuestion | None:
    """The question that an attribute is; None when it is none."""
    if not isinstance(value, str) or len(value) > _LARGEST_QUESTION:
        return None
    try:
        plain = json.loads(value)
    except (ValueError, RecursionError):
        return None
    match plain:
        case {"id": str(id), "nodes": list(nodes), "devices": list(devices)}:
            texts = all(isinstance(one, str) for one in (*nodes, *devices))
            few = len(nodes) <= _MOST_NODES and len(devices) <= MOST_DEVICES
            return DeviceQuestion(id, tuple(nodes), tuple(devices)) if texts and few else None
        case _:
            return None


def _answer(text: str) -> dict[str, Any]:
    """What a member has told, as far as it can be read."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        plain = None
    match plain:
        case {"id": str(id), "devices": dict(devices)}:
            known = read_devices(plain_text(devices))
            return {"id": id, "devices": {name: one.document() for name, one in known.items()}}
        case _:
            return {"id": "", "devices": {}}


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))

"""The part of a node's API that is about fencing: what was done, a node fenced or confirmed to be off, devices tested."""

from __future__ import annotations

from reconciler.controller.events import ConfirmAsked, FenceAsked
from reconciler.controller.fencing.demand import ACTIONS
from reconciler.daemon.device_tests import DeviceTests
from reconciler.daemon.fence_demands import check_demand, longest_s
from reconciler.daemon.fence_records import fencing_document
from reconciler.daemon.http import Answer, ApiError, Request, refuse_unknown
from reconciler.daemon.request_values import flag_of, names_of, operator_of, text_of
from reconciler.daemon.shell import Shell, moment


class FencingApi:
    """Answers requests about fencing."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.device_tests: DeviceTests | None = None
        """What asks whether fence devices answer."""

    async def history(self, request: Request) -> Answer:
        """Which nodes are to be fenced or are down, and what was done to fence them, newest first."""
        return Answer(fencing_document(self._shell.node.replica.shared.fencing, request.query.get("node") or None))

    async def fence_tests(self, request: Request) -> Answer:
        """What each node has told of its tests of fence devices."""
        node, tests = self._shell.node, self._tests
        away = sorted(node.replica.shared.nodes.keys() - set(node.members))
        told = {"nodes": tests.document(), "devices": tests.devices()}
        return Answer({**told, "members": list(node.members), "away": away})

    async def confirm(self, request: Request) -> Answer:
        """Tell all that an operator vouches for a node being off."""
        refuse_unknown(request.body, ("node", "operator"))
        name, operator = text_of(request.body, "node", ""), operator_of(request.body)
        shared = self._shell.node.replica.shared
        if name not in shared.nodes and name not in shared.votes:
            raise ApiError(404, "unknown-node", f"there is no node {name!r}")
        if name in self._shell.node.members:
            raise ApiError(409, "node-takes-part", f"{name} takes part: it is not off")
        self._shell.tell(ConfirmAsked(moment(), name, operator))
        return Answer({"node": name})

    async def fence(self, request: Request) -> Answer:
        """Have a node fenced now, or only say whether that could be done; `GET /v1/fencing` tells how it ends."""
        refuse_unknown(request.body, ("node", "action", "operator", "only_check"))
        name, operator = text_of(request.body, "node", ""), operator_of(request.body)
        action = text_of(request.body, "action", "reboot")
        if action not in ACTIONS:
            raise ApiError(400, "bad-action", f"action must be one of {', '.join(ACTIONS)}")
        only_check = flag_of(request.body, "only_check")
        check_demand(self._shell.node, name, action)
        within_s = longest_s(self._shell.node.replica.shared, name, action)
        if not only_check:
            self._shell.tell(FenceAsked(moment(), name, action, operator))
        return Answer({"node": name, "action": action, "within_s": within_s})

    async def test_devices(self, request: Request) -> Answer:
        """Have members ask their fence devices whether they answer; `GET /v1/fencing/tests` tells what came of it."""
        refuse_unknown(request.body, ("nodes", "devices"))
        nodes, devices = names_of(request.body, "nodes"), names_of(request.body, "devices")
        tests, members = self._tests, self._shell.node.members
        for name in nodes:
            if name not in members:
                raise ApiError(404, "unknown-node", f"{name!r} is no member now: it can't be asked")
        for name in devices:
            if name not in tests.devices():
                raise ApiError(404, "unknown-device", f"there is no fence device {name!r}, or it is disabled")
        if not self._shell.node.replica.partition.installed:
            raise ApiError(409, "no-quorum", f"{self._shell.node.name} takes no part in the cluster yet")
        return Answer({"id": tests.ask(nodes, devices), "nodes": nodes or list(members), "within_s": tests.within_s()})

    @property
    def _tests(self) -> DeviceTests:
        assert self.device_tests is not None, "the service gives it"
        return self.device_tests

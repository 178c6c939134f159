"""A node's way into a view: what the machine of membership is told of it, and what of its wishes concerns its own state."""

from __future__ import annotations

from reconciler.cib.canonical import CanonicalError, from_json, to_json
from reconciler.controller.envelope import SELF_RESETS
from reconciler.controller.installing import facts, installed_of, state_id, without_promises
from reconciler.controller.membership import machine
from reconciler.controller.membership.events import (
    Announced,
    Installation,
    MembershipEffect,
    MembershipHeard,
    Promised,
    StateKept,
    View,
    Waited,
)
from reconciler.controller.membership.history import extended, has_tail
from reconciler.controller.membership.messages import MembershipMessage
from reconciler.controller.messages import State
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Shared

WAIT_TIMER = "membership"
"""When those who did not answer are named."""

Effects = tuple[MembershipEffect, ...]


class Joining:
    """The machine of membership, and the state of another member that was received but is not in force yet."""

    def __init__(self, name: str, run: str, boot: str, replica: Replica, protocols: tuple[int, int]) -> None:
        self.name = name
        self.boot = boot
        self.replica = replica
        self._run = run
        self._protocols = protocols
        self._times = 1
        self._membership: machine.Membership = machine.NoView()
        self._received: Shared | None = None

    @property
    def view_anew(self) -> View | None:
        """The view that is installed, of those who take part in it, to be agreed on anew."""
        known = self._membership
        if not isinstance(known, machine.InstalledView):
            return None
        return machine.announced_anew(known.installation.view, known.installation.members)

    @property
    def incarnation(self) -> str:
        """This life of ours in the group; no other has the same."""
        return f"{self._run}.{self._times}"

    def announced(self, view: View, now: Moment) -> Effects:
        """The fabric announced a view."""
        self._received = None
        own = self.replica.own
        told = facts(
            self.replica.shared,
            self.name,
            promised=own.promised,
            blank=own.blank,
            incarnation=self.incarnation,
            boot=self.boot,
            protocols=self._protocols,
        )
        return self._step(Announced(view, told, now.mono_ms))

    def heard(self, sender: str, message: MembershipMessage, now: Moment) -> Effects:
        """A message of membership was delivered."""
        return self._step(MembershipHeard(sender, message, now.mono_ms))

    def promised(self, term: int, now: Moment) -> Effects:
        """A promise is durable."""
        return self._step(Promised(term, now.mono_ms))

    def waited(self, now: Moment) -> Effects:
        """The time is over in which others had to answer."""
        return self._step(Waited(now.mono_ms))

    def donation(self) -> State:
        """Our state for those who hold another."""
        shared = self.replica.shared
        if self._protocol < SELF_RESETS:
            shared = without_promises(shared)
        return State(state_id(shared), to_json(shared))

    @property
    def _protocol(self) -> int:
        """The one that the members of the view have agreed on, once they have."""
        match self._membership:
            case machine.Transfer(agreement=agreement) | machine.Readied(agreement=agreement):
                return agreement.protocol
            case machine.InstalledView(installation=installation):
                return installation.agreement.protocol
            case _:
                return self._protocols[0]

    def received(self, message: State, now: Moment) -> Effects:
        """A state was delivered: it is kept if it is what we wait for, and is what it says that it is."""
        membership = self._membership
        if not isinstance(membership, machine.Transfer) or membership.kept or message.id != membership.agreement.state:
            return ()
        try:
            shared = from_json(Shared, message.shared)
        except CanonicalError:
            return ()
        if state_id(shared) != message.id:
            return ()
        self._received = shared
        # A member that crashes here goes on with what it had: nothing has to be on the disk before the view is installed.
        return self._step(StateKept(message.id, now.mono_ms))

    def adopt(self, installation: Installation) -> tuple[Shared | None, bool]:
        """The state of others from which we go on, if ours is another; and whether ours has a tail that theirs has not."""
        own = state_id(self.replica.shared)
        if own == installation.state:
            return None, False
        adopted = self._received
        if adopted is None:
            raise AssertionError(f"installed the state {installation.state}, which was not received")
        return adopted, has_tail(own, extended(adopted.lineage, state_id(adopted)))

    def install(self, installation: Installation, adopted: Shared | None) -> None:
        """Go on from the state that all members have."""
        self.replica.install(installed_of(installation), adopted)
        self._received = None

    def left(self) -> None:
        """We are no member of the group any more; the next time it is as somebody else."""
        self._membership, self._received = machine.NoView(), None
        self._times += 1

    def _step(self, event: Announced | MembershipHeard | Promised | StateKept | Waited) -> Effects:
        self._membership, effects = machine.step(self._membership, event)
        return effects

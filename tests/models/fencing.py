"""A model of fencing: which rules keep a resource from running twice, and keep a cluster from standing still, whatever is lost when?

Three nodes: the target, and two peers that decide and run the fence agents. A view of two is quorate. What the members share is one
record of the target; it survives each peer. Agents are outside: they outlive the process that called them, strike late, fail, and may
lie. One resource runs on the target or elsewhere.

`python3 fencing.py` prints what each rule comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exploring import Explored, Step, explore

CLEAN, WANTED, ORDERED, DOWN = "clean", "wanted", "ordered", "down"
PEERS = (0, 1)


@dataclass(frozen=True)
class Rules:
    """One design, and how much may happen under it."""

    recorded_before_called: bool = True
    """Whether the order is in the state before the agent is called."""
    result_names_incarnation: bool = True
    """Whether a result counts only for the order that it answers; else for whatever the target is by then."""
    ordered_again: bool = True
    """Whether an order whose executor was lost is given again."""
    start_waits: bool = True
    """Whether what the target ran starts elsewhere only once it is down; else as soon as its fencing was ordered."""
    unclean_survives: bool = True
    """Whether it is remembered over a change of the DC that the target was lost."""
    confirmation_refused_for_members: bool = True
    """Whether nobody can confirm that a node is off that takes part."""
    fenced_begins_nothing: bool = True
    """Whether a target that comes back in the life in which it was fenced is turned away."""
    level_is_complete: bool = True
    """Whether all devices of a level have to succeed."""
    devices: int = 1
    attempts: int = 2
    incarnations: int = 2
    restarts: int = 1
    cuts: int = 2
    lies: int = 0


class Order(NamedTuple):
    """To fence the target's `incarnation`: which attempt, by which process of which peer, by which device of the level."""

    attempt: int
    executor: int
    process: int
    incarnation: int
    device: int = 0


class Agent(NamedTuple):
    """A call of a fence agent: `called` by its peer, `struck` when the power is cut, `ended` when its answer is on its way."""

    order: Order
    phase: str = "called"
    succeeded: bool = False


class Target(NamedTuple):
    alive: bool = True
    incarnation: int = 0
    member: bool = True
    runs: bool = False
    off: int = 0  # How many of its supplies are switched off.


class State(NamedTuple):
    target: Target = Target()
    phase: str = CLEAN
    order: Order | None = None
    begun: bool = False  # Whether the order was obeyed: a second delivery starts nothing.
    attempt: int = 0
    recorded: int = 0  # The newest attempt that is in the state.
    known: int = 0  # The incarnation that the members last saw.
    fenced: int = -1  # The newest incarnation of which the state says that it is down.
    processes: tuple[int, int] = (0, 0)
    agents: frozenset[Agent] = frozenset()
    elsewhere: bool = False
    restarts: int = 0
    cuts: int = 0
    lies: int = 0
    fault: str | None = None


def search(rules: Rules) -> Explored[State]:
    """All that can happen under the rules, with the resource running on the target at first, and with it running nowhere."""
    running = explore(State(Target(runs=True)), lambda state: _steps(rules, state), lambda state: _fault(rules, state))
    if running.fault is not None:
        return running
    stopped = explore(State(), lambda state: _steps(rules, state), lambda state: _fault(rules, state))
    return Explored(running.states + stopped.states, stopped.fault, stopped.story, stopped.last)


def _fault(rules: Rules, state: State) -> str | None:
    if state.fault is not None:
        return state.fault
    if state.target.alive and state.target.runs and state.elsewhere and not state.lies:
        return "the resource is active twice"
    if _is_stuck(rules, state):
        return "the target is to be fenced, and nothing goes on"
    return None


def _is_stuck(rules: Rules, state: State) -> bool:
    """Whether nothing that the cluster itself does can end this."""
    if state.phase not in (WANTED, ORDERED) or state.attempt == rules.attempts or state.target.member:
        return False
    awaited = any(agent.order == state.order and _is_present(state, agent.order) for agent in state.agents)
    return not awaited and not list(_decide(rules, state))


def _is_present(state: State, order: Order) -> bool:
    return state.processes[order.executor] == order.process


def _steps(rules: Rules, state: State) -> Iterator[Step[State]]:
    yield from _decide(rules, state)
    yield from _place(rules, state)
    yield from _happen_to_target(rules, state)
    yield from _return(rules, state)
    yield from _happen_to_peers(rules, state)
    for agent in state.agents:
        yield from _act(rules, state, agent)
    yield from _confirm(rules, state)


def _decide(rules: Rules, state: State) -> Iterator[Step[State]]:
    """The DC orders, and the executor obeys."""
    order = state.order
    if state.phase == ORDERED and order is not None and not _is_present(state, order) and rules.ordered_again:
        yield "the executor is gone: fencing is wanted again", state._replace(phase=WANTED, order=None)
    if state.phase == WANTED and state.attempt < rules.attempts:
        for peer in PEERS:
            yield from _give_order(rules, state, peer)
    if state.phase == ORDERED and order is not None and not state.begun and _is_present(state, order):
        yield f"peer {order.executor} calls the agent", state._replace(begun=True, agents=state.agents | {Agent(order)})


def _give_order(rules: Rules, state: State, peer: int) -> Iterator[Step[State]]:
    attempt = state.attempt + 1
    order = Order(attempt, peer, state.processes[peer], state.known)
    if rules.recorded_before_called:
        told = state._replace(phase=ORDERED, order=order, begun=False, attempt=attempt, recorded=attempt)
        yield f"attempt {attempt} by peer {peer} is ordered", told
    else:
        called = state._replace(agents=state.agents | {Agent(order)}, attempt=attempt)
        yield f"peer {peer} calls the agent by itself, attempt {attempt}", called


def _place(rules: Rules, state: State) -> Iterator[Step[State]]:
    """The plan: the resource runs where it may."""
    if state.elsewhere:
        return
    down = state.phase == DOWN or (state.phase == ORDERED and not rules.start_waits)
    idle = state.phase == CLEAN and state.target.member and not state.target.runs
    gone = state.phase == CLEAN and not state.target.member  # Cleanly: else it would be wanted, ordered or down.
    if down or idle or gone:
        yield "the resource starts elsewhere", state._replace(elsewhere=True)
    if idle:
        begun = state._replace(target=state.target._replace(runs=True))
        fault = "a fenced node begins something" if state.target.incarnation <= state.fenced else None
        yield "the resource starts on the target", begun._replace(fault=fault)


def _happen_to_target(rules: Rules, state: State) -> Iterator[Step[State]]:
    target = state.target
    if target.alive and target.member and state.cuts < rules.cuts:
        yield "the target is cut off", _lose(state._replace(target=target._replace(member=False), cuts=state.cuts + 1))
    if target.alive and state.cuts < rules.cuts:
        yield "the target dies", _kill(state._replace(cuts=state.cuts + 1))
    if target.member and not target.runs and state.cuts < rules.cuts:
        gone = Target(alive=False, incarnation=target.incarnation, member=False)
        yield "the target leaves cleanly", state._replace(target=gone, cuts=state.cuts + 1)
    if not target.alive and target.incarnation < rules.incarnations:
        anew = Target(member=False, incarnation=target.incarnation + 1)
        yield "the target boots", state._replace(target=anew)


def _kill(state: State) -> State:
    was_member = state.target.member
    dead = state._replace(target=Target(alive=False, incarnation=state.target.incarnation, member=False))
    return _lose(dead) if was_member else dead


def _lose(state: State) -> State:
    """The view without the target is installed: it is unclean."""
    return state._replace(phase=WANTED, order=None) if state.phase == CLEAN else state


def _return(rules: Rules, state: State) -> Iterator[Step[State]]:
    """The target is in a view again, and says which life this is and what runs. Who is fenced in this life is turned away."""
    target = state.target
    if not target.alive or target.member:
        return
    back = state._replace(target=target._replace(member=True), known=target.incarnation, phase=CLEAN, order=None)
    if target.incarnation > state.known:
        yield "the target is back in a new life", back
    elif state.phase == WANTED:
        yield "the target is back, and reports what runs", back
    elif state.phase == DOWN and not rules.fenced_begins_nothing:
        yield "the target is back as if nothing had been", back


def _happen_to_peers(rules: Rules, state: State) -> Iterator[Step[State]]:
    """The process of a peer ends and another begins. The agent that it had called goes on, and nobody waits for its answer."""
    if state.restarts == rules.restarts:
        return
    for peer in PEERS:
        processes = (state.processes[0] + (peer == 0), state.processes[1] + (peer == 1))
        after = state._replace(processes=processes, restarts=state.restarts + 1)
        if not rules.unclean_survives and state.phase == WANTED:
            after = after._replace(phase=CLEAN)
        yield f"the process of peer {peer} is another", after


def _act(rules: Rules, state: State, agent: Agent) -> Iterator[Step[State]]:
    """An agent strikes, ends, and its answer is delivered; or its answer is lost with the process that waited for it."""
    others = state.agents - {agent}
    number = agent.order.attempt
    if agent.phase == "called":
        struck = state._replace(agents=others | {agent._replace(phase="struck", succeeded=True)})
        yield f"the agent of attempt {number} strikes", _strike(rules, struck, agent)
        yield f"the agent of attempt {number} fails", state._replace(agents=others | {agent._replace(phase="struck")})
        if state.lies < rules.lies:
            lying = agent._replace(phase="struck", succeeded=True)
            yield (
                f"the agent of attempt {number} lies",
                state._replace(agents=others | {lying}, lies=state.lies + 1),
            )
    elif not _is_present(state, agent.order):
        yield f"nobody hears the agent of attempt {number}", state._replace(agents=others)
    else:
        word = "succeeded" if agent.succeeded else "failed"
        told = _answered(rules, state._replace(agents=others), agent)
        yield f"it is told that attempt {number} has {word}", told


def _strike(rules: Rules, state: State, agent: Agent) -> State:
    """One supply is off; the target dies with the last."""
    if agent.order.attempt > state.recorded:
        return state._replace(fault="a node is fenced, and nothing in the state says so")
    off = state.target.off | 1 << agent.order.device
    if off + 1 < 1 << rules.devices:
        return state._replace(target=state.target._replace(off=off))
    return _kill(state) if state.target.alive else state


def _answered(rules: Rules, state: State, agent: Agent) -> State:
    order = agent.order
    if order != state.order:
        late = agent.succeeded and not rules.result_names_incarnation
        return state._replace(phase=DOWN, order=None) if late else state
    if not agent.succeeded:
        return state._replace(phase=WANTED, order=None)
    if rules.level_is_complete and order.device + 1 < rules.devices:
        return state._replace(order=order._replace(device=order.device + 1), begun=False)
    return state._replace(phase=DOWN, order=None, fenced=order.incarnation)


def _confirm(rules: Rules, state: State) -> Iterator[Step[State]]:
    """An operator says that the target is off: of one that is, or, by mistake, of one that takes part."""
    if state.phase not in (WANTED, ORDERED) and not state.target.member:
        return
    if not state.target.alive or (state.target.member and not rules.confirmation_refused_for_members):
        yield "an operator confirms", state._replace(phase=DOWN, order=None, fenced=state.known)


SOUND: dict[str, Rules] = {
    "the rule of the design": Rules(),
    "with two devices at a level": Rules(devices=2, restarts=0),
    "with a device that lies": Rules(lies=1, restarts=0),
}
"""What must keep every rule."""

BROKEN: dict[str, Rules] = {
    "the order is recorded after the agent was called": Rules(recorded_before_called=False),
    "a result counts for any incarnation": Rules(result_names_incarnation=False),
    "an order whose executor was lost is not given again": Rules(ordered_again=False),
    "what ran there starts before the target is down": Rules(start_waits=False),
    "a change of the DC forgets that the target is unclean": Rules(unclean_survives=False),
    "a member may be confirmed to be off": Rules(confirmation_refused_for_members=False),
    "who was fenced goes on": Rules(fenced_begins_nothing=False, lies=1),
    "one device of a level is enough": Rules(level_is_complete=False, devices=2, restarts=0),
}
"""What must be found out."""

LARGER: dict[str, Rules] = {
    "three attempts, three lives": Rules(attempts=3, incarnations=3, restarts=1, cuts=3),
    "two restarts": Rules(restarts=2),
    "two devices and a restart": Rules(devices=2),
}
"""Sound ones in a scope that takes minutes."""


def main() -> None:
    for name, rules in (SOUND | BROKEN | LARGER).items():
        print(f"{name}: {search(rules)}")


if __name__ == "__main__":
    main()

"""A commit that comes with a saved plan becomes active only if just that plan would be carried out."""

from __future__ import annotations

import pytest

from reconciler.cib.observations import AttributeSet
from reconciler.controller import events as ev
from reconciler.controller.envelope import unseal
from reconciler.controller.foreseen import foreseen
from reconciler.controller.messages import Activate, Observe
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.scheduler.cause import Cause, Why


def configuration(*names: str) -> Configuration:
    """A configuration of such dummies, without fencing."""
    resources = tuple(
        Primitive(name, Agent("ocf", "Dummy", "pacemaker"), operations=(Operation("monitor", "10s"),)) for name in names
    )
    return Configuration("c", options=plain({"stonith-enabled": "false"}), resources=resources)


@pytest.fixture
def resting(single):
    """The node runs `a`, and is at rest; `two` is a commit that adds `b`."""
    single.apply(configuration("a"), "one")
    single.converge()
    single.commits["two"] = configuration("a", "b")
    return single


def saved(single, commit: str = "two") -> str:
    """The digest of the plan that somebody makes for the commit now."""
    return foreseen(single.cib, single.commits[commit], Instant(single.now.epoch_s)).digest


def propose(single, plan: str | None) -> None:
    single.feed(ev.CommitArrived(single.now, "two", "apply", "", plan=plan))


def refusal(single) -> tuple[str, list[str]]:
    event = single.events("rejected")[-1]
    return event["reason"], [finding["code"] for finding in event["findings"]]


def test_the_plan_that_was_saved_is_carried_out(resting) -> None:
    wanted = saved(resting)
    propose(resting, wanted)
    assert resting.node.replica.commit == "two"
    assert resting.node.coordinator.plan is not None
    assert resting.node.coordinator.plan.digest == wanted
    resting.converge()
    assert sorted(resting.world.running) == ["a", "b"]


def test_another_plan_is_refused_and_nothing_changes(resting) -> None:
    old = saved(resting)
    resting.broadcast(Observe((AttributeSet("n1", "standby", "on"),), "a test", resting.now.wall_ms))
    resting.settle()
    calls = list(resting.world.calls)
    propose(resting, old)
    assert resting.node.replica.commit == "one"
    assert refusal(resting) == ("the saved plan is stale: the cluster is carrying out another one", ["stale-plan"])
    assert resting.world.calls == calls
    resting.converge()
    propose(resting, old)
    assert refusal(resting) == ("the saved plan is stale: the cluster would do something else now", ["stale-plan"])
    assert resting.node.replica.commit == "one"
    propose(resting, saved(resting))
    assert resting.node.replica.commit == "two", "a plan made now is as good as any"


def test_without_a_saved_plan_the_cluster_does_what_is_right_now(resting) -> None:
    resting.broadcast(Observe((AttributeSet("n1", "standby", "on"),), "a test", resting.now.wall_ms))
    propose(resting, None)
    assert resting.node.replica.commit == "two"


@pytest.mark.parametrize(
    ("name", "active", "judged"),
    [
        pytest.param("note", "two", 2, id="what changes nothing of the plan: it is judged anew, and holds"),
        pytest.param("standby", "one", 1, id="what changes the plan: it is refused"),
    ],
)
def test_what_is_seen_between_the_judgement_and_the_activation(resting, name, active, judged) -> None:
    """The state moves on after the DC compared the plans, before its activation is delivered."""
    activations: list[Activate] = []
    send = resting.send

    def meanwhile(data: bytes) -> None:
        message = unseal(data).message
        if isinstance(message, Activate):
            activations.append(message)
            if len(activations) == 1:
                resting.broadcast(Observe((AttributeSet("n1", name, "on"),), "a test", resting.now.wall_ms))
        send(data)

    resting.send = meanwhile
    propose(resting, saved(resting))
    assert len(activations) == judged
    assert resting.node.replica.commit == active


def test_reasons_do_not_count_for_the_digest_and_everything_that_is_done_does(resting) -> None:
    plan = foreseen(resting.cib, resting.commits["two"], Instant(resting.now.epoch_s))
    first, *others = plan.actions

    def digest(**changed: object) -> str:
        return replace(plan, actions=(replace(first, **changed), *others)).digest

    assert digest(cause=Cause(Why.PROBE, "b")) == plan.digest
    assert digest(layers=(*first.layers, {})) == plan.digest, "how attributes are shared"
    assert digest(layers=(*first.layers, {"another": "1"})) != plan.digest
    assert digest(timeout_ms=first.timeout_ms + 1) != plan.digest
    assert digest(digested={"p": "1"}) != plan.digest
    assert replace(plan, actions=plan.actions[::-1]).digest != plan.digest

"""What an entry of a history says, as numbers and texts.

The keys and the forms of what the status keeps of a result are known here alone; whoever decides by a result reads fields.
Source: Pacemaker Explained, "Status"; the scheduler's specification, part 1, sections 13.2 to 13.5 and 15.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from reconciler.frozen import frozen
from reconciler.model.operation import OperationStatus
from reconciler.model.text import integer


@frozen
class RecordedResult:
    """How an operation ended, or that it is under way, as it was recorded; None for what was not.

    A number that can't be read, or is beyond 64 bits, counts as 0 where an interval, a code or a status is meant, as -1 otherwise.
    """

    task: str | None
    """The operation: start, monitor …"""
    interval_ms: int
    """0 for what does not recur, also where nothing was recorded."""
    call_id: int | None
    """Counts the calls on a node; -1 while it is under way."""
    rc: int
    """What the agent answered, 0 where nothing was recorded."""
    status: int | None
    """How the call itself went: a value of `OperationStatus`, or a number that is none."""
    target_rc: int
    """What the agent was to answer, -1 where that was not recorded."""
    changed_s: int | None
    """The epoch time at which the result became what it is."""
    texts: Mapping[str, str]
    """Everything recorded, by its key."""

    @property
    def is_probe(self) -> bool:
        """Whether it looked at what runs without having been asked to watch it."""
        return self.task == "monitor" and not self.interval_ms

    @property
    def recurs(self) -> bool:
        """Whether it is asked again and again."""
        return self.interval_ms > 0

    @property
    def is_pending(self) -> bool:
        """Whether it is under way."""
        return self.status == OperationStatus.PENDING

    @property
    def succeeded(self) -> bool:
        """Whether the call was done and the agent content."""
        return not self.rc and not self.status

    @property
    def transition(self) -> tuple[int, str] | None:
        """Number and uuid of the transition that it belongs to, which is told as `status:rc;action:transition:target:uuid`."""
        fields = self.texts.get("transition-magic", "").partition(";")[2].split(":", 3)
        return (integer(fields[1], -1), fields[3]) if len(fields) == 4 else None

    @property
    def operation_key(self) -> str | None:
        """`<resource>_<task>_<interval ms>`, by the name under which the node remembers the resource."""
        return self.texts.get("operation_key")

    @property
    def on_node(self) -> str | None:
        """The name of the node where it ran."""
        return self.texts.get("on_node")

    @property
    def migrate_source(self) -> str | None:
        """Of either half of a migration: the node that the resource leaves."""
        return self.texts.get("migrate_source")

    @property
    def migrate_target(self) -> str | None:
        """Of either half of a migration: the node that the resource goes to."""
        return self.texts.get("migrate_target")

    @property
    def exit_reason(self) -> str | None:
        """Why it failed, in the agent's words."""
        return self.texts.get("exit-reason")

    @property
    def queue_ms(self) -> int | None:
        """How long it waited for others of its resource."""
        return _number(self.texts, "queue-time", 0)

    @property
    def execution_ms(self) -> int | None:
        """How long the agent took."""
        return _number(self.texts, "exec-time", 0)

    @property
    def digest(self) -> str | None:
        """The digest of all the parameters that it was done with."""
        return self.texts.get("op-digest")

    @property
    def restart_digest(self) -> str | None:
        """The digest of the parameters whose change takes a restart; where there is one, others can be reloaded."""
        return self.texts.get("op-restart-digest")

    @property
    def restart_names(self) -> str | None:
        """Which parameters those are, each between blanks."""
        return self.texts.get("op-force-restart")

    @property
    def secure_digest(self) -> str | None:
        """The digest of the parameters without those that must not be seen."""
        return self.texts.get("op-secure-digest")

    @property
    def secure_names(self) -> str:
        """Which parameters must not be seen, each between blanks."""
        return self.texts.get("op-secure-params", "")

    @property
    def feature_set(self) -> str | None:
        """Which version of the features the program had that recorded it."""
        return self.texts.get("crm_feature_set")


def read_result(texts: Mapping[str, str]) -> RecordedResult:
    """Read what was recorded of a result under the keys of a history's entry; nothing in it is an error."""
    get = texts.get
    key = get("transition-key")
    return RecordedResult(
        get("operation"),
        integer(get("interval")),
        _number(texts, "call-id", -1),
        integer(get("rc-code")),
        _number(texts, "op-status", 0),
        -1 if key is None else _target_rc(key),
        _number(texts, "last-rc-change", -1),
        texts,
    )


def is_found_stopped(texts: Mapping[str, str]) -> bool:
    """Whether it is a probe that found the resource stopped: as most entries are, so that the others alone need to be read."""
    return (
        texts.get("rc-code") == "7"
        and texts.get("operation") == "monitor"
        and texts.get("interval", "0") == "0"
        and texts.get("op-status") == "0"
    )


def _number(texts: Mapping[str, str], key: str, damaged: int) -> int | None:
    text = texts.get(key)
    return None if text is None else integer(text, damaged)


@lru_cache(maxsize=8192)
def _target_rc(transition_key: str) -> int:
    fields = transition_key.split(":", 3)
    return integer(fields[2], -1) if len(fields) == 4 else -1

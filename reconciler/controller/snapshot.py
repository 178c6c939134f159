"""The replicated state in a plain form, so that a journal need not go back to the beginning of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.analysis.recording import Launched
from reconciler.cib import Cib
from reconciler.cib.canonical import from_json, to_json
from reconciler.controller.members import states_by_name
from reconciler.controller.messages import (
    MessageError,
    Reject,
    from_object,
    launched_from_plain,
    launched_to_plain,
    to_object,
)
from reconciler.controller.replica import Activation, Prepared, Proposal, Rejected, Replica, to_mapping
from reconciler.errors import ReconcilerError, Remedy
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration

FORMAT = 1


class ForeignStateError(ReconcilerError):
    """The state belongs to a node of another name: what it says runs here, this node must not touch."""

    code = "foreign-state"
    remedy = Remedy.STOP


def to_plain(replica: Replica) -> dict[str, Any]:
    """Everything that `restore` needs, as JSON has it."""
    return {
        "format": FORMAT,
        "node": replica.own,
        "cib": to_json(replica.cib),
        "digest": replica.digest,
        "term": replica.term,
        "commit": replica.commit,
        "transition": replica.transition,
        "activations": [dict(to_mapping(activation)) for activation in replica.activations],
        "proposals": [_proposal_to_plain(proposal) for proposal in replica.proposals.values()],
        "prepared": {commit: prepared_to_plain(prepared) for commit, prepared in replica.prepared.items()},
        "boots": dict(replica.boots),
        "memory": _launched_to_plain(replica.memory.started),
        "asked": _launched_to_plain(replica.memory.asked),
        "rejected": None if replica.rejected is None else _rejected_to_plain(replica.rejected),
        "ignored": replica.ignored,
    }


def restore(own: str, data: dict[str, Any]) -> Replica:
    """The state that `to_plain` gave.

    Raises ForeignStateError when it is of another node, MessageError or CanonicalError when it is none.
    """
    if data.get("format") != FORMAT:
        raise MessageError(f"read a snapshot of format {data.get('format')!r}: this program writes {FORMAT}")
    if data.get("node") != own:
        raise ForeignStateError(f"the state is of the node {data.get('node')!r}, and this node is {own!r}")
    try:
        replica = Replica(own)
        cib = from_json(Cib, data["cib"])
        replica.cib = replace(cib, status=states_by_name(cib.status))
        replica.digest = str(data["digest"])
        replica.term = int(data["term"])
        replica.commit = None if data["commit"] is None else str(data["commit"])
        replica.transition = int(data["transition"])
        replica.activations = [Activation(**activation) for activation in data["activations"]]
        replica.proposals = {plain["commit"]: Proposal(**plain) for plain in data["proposals"]}
        replica.prepared = {commit: prepared_from_plain(plain) for commit, plain in data["prepared"].items()}
        replica.boots = {str(node): str(boot) for node, boot in data["boots"].items()}
        replica.memory.started = _launched_from_plain(data["memory"])
        replica.memory.asked = _launched_from_plain(data.get("asked", {}))
        rejected = data.get("rejected")
        replica.rejected = None if rejected is None else _rejected_from_plain(rejected)
        replica.ignored = int(data.get("ignored", 0))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MessageError("read a snapshot") from error
    return replica


def prepared_to_plain(prepared: Prepared) -> dict[str, Any]:
    """The plain form of what a commit compiles to."""
    return {"digest": prepared.digest, "configuration": to_json(prepared.configuration)}


def prepared_from_plain(data: dict[str, Any]) -> Prepared:
    """What `prepared_to_plain` gave. Raises CanonicalError."""
    return Prepared(str(data["digest"]), from_json(Configuration, data["configuration"]))


def _proposal_to_plain(proposal: Proposal) -> dict[str, Any]:
    return {name: getattr(proposal, name) for name in Proposal.__slots__}


def _launched_to_plain(by_resource: Mapping[str, Launched]) -> dict[str, Any]:
    return {name: launched_to_plain(launched) for name, launched in by_resource.items()}


def _launched_from_plain(data: dict[str, Any]) -> dict[str, Launched]:
    return {name: launched_from_plain(part) for name, part in data.items()}


def _rejected_to_plain(rejected: Rejected) -> dict[str, Any]:
    return {
        "proposal": _proposal_to_plain(rejected.proposal),
        "by": rejected.by,
        "answer": to_object(rejected.answer),
    }


def _rejected_from_plain(data: dict[str, Any]) -> Rejected:
    answer = from_object(data["answer"])
    if not isinstance(answer, Reject):
        raise MessageError("read a snapshot: what was refused has no refusal")
    return Rejected(Proposal(**data["proposal"]), str(data["by"]), answer)

"""What the first release wrote reads as what it meant; a whole store of it is tried in tests/daemon."""

from __future__ import annotations

import json

from reconciler.controller.journal import restore, snapshot_bytes
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Proposal, Shared


def test_what_was_proposed_is_still_examined() -> None:
    written = json.loads(snapshot_bytes(Replica("n1", Shared())))
    proposal = {
        "commit": "c1", "base": None, "source": "git", "subject": "s", "rewrite": False, "proposer": "n1",
        "answers": {"n1": "digest"},
    }  # fmt: skip
    former = {"format": 1, "node": "n1", "memory": {}, "prepared": {}, **written["shared"], "proposals": [proposal]}
    replica, unused = restore("n1", json.dumps(former).encode(), ())
    assert unused == []
    assert replica.shared.proposals == {"c1": Proposal("c1", None, "git", "s", False, "n1", {"n1": "digest"})}

"""What docs/security.md says of commits that the API makes: by default they need no signature, with a policy they are refused."""

from __future__ import annotations

import subprocess
from typing import Any

from .conftest import Node


def apply(node: Node, values: dict[str, str], **body: Any) -> dict[str, Any]:
    """Propose files by the API; the event that tells how that ended."""
    answer = node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration(values)}, **body})
    events = node.client.events(since=answer["cursor"], types=("activated", "rejected"), within_s=20)
    return next(event for event in events if event["proposal"] == answer["proposal"])


def test_by_default_the_api_needs_no_signature_and_the_history_says_whose_word_it_was(stopped_node: Node) -> None:
    stopped_node.sources = "  {}"
    stopped_node.start()
    assert apply(stopped_node, {"a": "1"}, author="Nobody <nobody@example.org>")["type"] == "activated"
    newest = stopped_node.client.get("/v1/history")["entries"][0]
    assert (newest["source"], newest["author"]) == ("apply", "Nobody <nobody@example.org>")


def test_with_a_policy_neither_an_apply_nor_a_rollback_counts(stopped_node: Node) -> None:
    node = stopped_node
    node.start()
    for value in ("1", "2"):
        node.write(node.configuration({"a": value}))
        node.at_rest_with({"a": value})
    node.stop()
    key = node.path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (node.path / "signers").write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    node.extra = "proposals: {allowed-signers: signers}"
    node.start()
    refused = apply(node, {"a": "3"})
    assert (refused["type"], [finding["code"] for finding in refused["findings"]]) == ("rejected", ["signature"])
    answer = node.client.post("/v1/rollback", {})
    events = node.client.events(since=answer["cursor"], types=("activated", "rejected"), within_s=20)
    assert next(event for event in events if event["proposal"] == answer["proposal"])["type"] == "rejected"
    node.at_rest_with({"a": "2"})

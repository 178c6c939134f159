"""What docs/security.md says of commits that the API makes: by default they need no signature, with a policy the node's own counts."""

from __future__ import annotations

import os
import pwd
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


def test_what_the_node_signs_counts_by_the_policy_that_names_its_key(stopped_node: Node) -> None:
    """An apply, a rollback and a watched directory; without the key in the policy none of them."""
    node = stopped_node
    own, other = node.path / "n1", node.path / "n2"
    for key in (own, other):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (node.path / "signers").write_text(f"n1 {own.with_suffix('.pub').read_text()}")
    node.extra = "proposals: {allowed-signers: signers, signing-key: n1}"
    node.start()
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert apply(node, {"a": "2"}, author="Ann <ann@example.org>")["type"] == "activated"
    node.at_rest_with({"a": "2"})
    answer = node.client.post("/v1/rollback", {})
    events = node.client.events(since=answer["cursor"], types=("activated", "rejected"), within_s=20)
    assert next(event for event in events if event["proposal"] == answer["proposal"])["type"] == "activated"
    entries = node.client.get("/v1/history")["entries"]
    operator = f"{pwd.getpwuid(os.getuid()).pw_name}@n1"
    assert [entry["author"].endswith(f"{operator}>") for entry in entries[:2]] == [True, False], (
        "who asked, by the kernel"
    )
    node.stop()

    (node.path / "signers").write_text(f"n2 {other.with_suffix('.pub').read_text()}")
    node.start()
    answer = node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "4"})}})
    events = node.client.events(since=answer["cursor"], types=("activated", "rejected"), within_s=20)
    refused = next(event for event in events if event["proposal"] == answer["proposal"])
    assert (refused["type"], [finding["code"] for finding in refused["findings"]]) == ("rejected", ["signature"])
    node.write(node.configuration({"a": "5"}))
    later = next(event for event in events if event["proposal"] != answer["proposal"])
    assert later["type"] == "rejected", "a directory of that name may be another member's"
    node.at_rest_with({"a": "1"})

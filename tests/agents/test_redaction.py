"""No form in which an agent may print a secret gets out of the node."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.agents.redaction import SHOWN, WITHHELD, Redaction
from reconciler.model.attributes import encode_secret
from reconciler.model.operation import AgentResult
from reconciler.model.resource import Agent

Run = Callable[..., AgentResult]
SECRET = "tr0ub4dor & 'three'\n+/=?ü"

FORMS = {
    "as it is": SECRET,
    "a line of it": SECRET.splitlines()[0],
    "quoted by a shell": shlex.quote(SECRET),
    "in a URL": quote(SECRET),
    "in a URL, everything quoted": quote(SECRET, safe=""),
    "in a URL, in small letters": re.sub("%..", lambda found: found[0].lower(), quote(SECRET, safe="")),
    "in a form": quote_plus(SECRET),
    "in JSON": json.dumps(SECRET),
    "in JSON with its letters": json.dumps(SECRET, ensure_ascii=False),
    "as Python shows it": repr(SECRET),
    "in hexadecimal digits": SECRET.encode().hex(),
    "in large hexadecimal digits": SECRET.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_taken_out(form: str) -> None:
    shown = Redaction([SECRET]).text(f"+ connect --password {FORMS[form]} --host db")
    assert SHOWN in shown
    assert "tr0ub4dor" not in shown
    assert SECRET.encode().hex()[:12] not in shown.lower()
    assert shown.startswith("+ connect --password ")
    assert shown.endswith("--host db")


@given(before=st.binary(max_size=7), behind=st.binary(max_size=7), secret=st.text(min_size=8, max_size=30))
def test_base64_is_taken_out_whatever_stands_around_it(before: bytes, behind: bytes, secret: str) -> None:
    """As in the header of a request, where it is the user's name that stands before."""
    encoded = base64.b64encode(before + secret.encode() + behind).decode()
    shown = Redaction([secret]).text(f"Authorization: Basic {encoded}")
    assert SHOWN in shown
    assert len(encoded) - len(shown.partition("Basic ")[2].replace(SHOWN, "")) >= len(secret.encode()) * 4 // 3 - 4


@pytest.mark.parametrize("secret", ["a", "42", "abc"])
def test_what_holds_a_short_secret_is_withheld(secret: str) -> None:
    """Taken out letter by letter its places would say what it is."""
    redaction = Redaction([secret, "long enough"])
    assert redaction.text(f"x{secret}y") == WITHHELD
    assert redaction.text("------") == "------"
    assert redaction.text("so long enough") != WITHHELD or secret == "a"


def test_the_longer_of_two_secrets_is_taken_out_whole() -> None:
    assert Redaction(["pass", "password"]).text("password passport") == f"{SHOWN} {SHOWN}port"


def test_what_was_cut_off_in_the_middle_of_a_secret_shows_no_part_of_it() -> None:
    cut = "\n[... 12345 bytes left out ...]\n"
    redaction = Redaction(["correct horse battery"])
    assert redaction.text(f"it is correct ho{cut}battery staple") == f"it is {SHOWN}{cut}{SHOWN} staple"
    assert redaction.text(f"nothing{cut}of it") == f"nothing{cut}of it"
    assert redaction.beginning("x" * 10 + "correct horse battery", 18) == "x" * 10 + SHOWN
    assert redaction.beginning("x" * 10, 18) == "x" * 10


def test_nothing_is_taken_out_where_there_is_no_secret() -> None:
    assert Redaction([]).text("anything") == "anything"
    assert Redaction([""]).text("anything") == "anything"


@given(secret=st.text(min_size=4), around=st.text())
def test_no_text_with_the_secret_in_it_keeps_it(secret: str, around: str) -> None:
    shown = Redaction([secret]).text(around + secret + around)
    assert secret not in shown.replace(SHOWN, "\0").replace(WITHHELD, "\0") or secret in around


def test_all_that_an_agent_says_is_shown_without_its_secrets(run: Run, agent: Callable[..., Agent]) -> None:
    """Its output, its reason and the node attributes that it sets, which every member and every reader of the status gets."""
    body = """
        set -x
        : "$OCF_RESKEY_password"
        attrd_updater -n mine -U "password=$OCF_RESKEY_password"
        echo "ocf-exit-reason:refused: $OCF_RESKEY_password" >&2
        printf %s "admin:$OCF_RESKEY_password" | base64
        exit 1
    """
    result = run(agent(body), password=encode_secret("db"), resolver=lambda name: "hunter2hunter2")
    said = f"{result.output} {result.exit_reason} {result.attributes}"
    assert "hunter2" not in said
    assert base64.b64encode(b"admin:hunter2hunter2").decode()[8:20] not in said
    assert result.exit_reason == f"refused: {SHOWN}"
    assert result.attributes == {"mine": f"password={SHOWN}"}


def test_a_reason_has_a_bound(run: Run, agent: Callable[..., Agent]) -> None:
    """It is kept in the status of every member for as long as the failure is."""
    body = "printf 'ocf-exit-reason:'; head -c 5000 /dev/zero | tr '\\0' x; exit 1"
    assert run(agent(body)).exit_reason == "x" * 1024

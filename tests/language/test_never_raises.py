"""Whatever the files hold, loading answers with a configuration or with findings."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from configurations import configuration_of
from planted import CLEAN
from test_faults_of_agents import lookup

from reconciler.errors import Severity
from reconciler.language import load
from reconciler.language.writing.files import to_files

MANY = settings(max_examples=250, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
seeds = st.integers(0, 2**32)


def judged(files: dict[str, bytes]) -> None:
    answer = load(files, agents=lookup)
    failed = any(finding.severity is Severity.ERROR for finding in answer.findings)
    assert (answer.configuration is None) == failed
    assert list(answer.findings) == sorted(answer.findings, key=lambda finding: finding.place)
    assert load(files, agents=lookup) == answer


@MANY
@given(seeds)
def test_any_configuration_is_judged(seed: int) -> None:
    judged({name: text.encode() for name, text in to_files(configuration_of(seed)).items()})


@MANY
@given(seeds)
def test_a_file_with_signs_changed_is_judged(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(CLEAN.encode())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        match rng.randint(0, 3):
            case 0:
                data[at] = rng.choice(b":{}[],#&*!|>'\"%@`-? \n\t\xff01nx")
            case 1:
                del data[at : at + rng.randint(1, 12)]
            case 2:
                other = rng.randrange(len(data))
                data[at:at] = data[other : other + rng.randint(1, 30)]
            case _:
                data[at:at] = rng.choice([b"{", b"[", b"- ", b": ", b"&a ", b"*a", b"null", b"1", b"INFINITY", b"\n"])
    judged({"a.yaml": bytes(data)})


@MANY
@given(seeds)
def test_a_file_with_words_exchanged_is_judged(seed: int) -> None:
    rng = random.Random(seed)
    names = "ip web db disks site n1 n2 d1 f1 vm guest drbd everything start INFINITY 0 forbid"
    words = names.split()
    text = CLEAN
    for _ in range(rng.randint(1, 4)):
        old, new = rng.choice(words), rng.choice(words)
        places = [at for at in range(len(text)) if text.startswith(old, at)]
        if places:
            at = rng.choice(places)
            text = text[:at] + new + text[at + len(old) :]
    judged({"a.yaml": text.encode()})


@settings(max_examples=300, deadline=None)
@example(data=b"\xc2\x80")
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    judged({"a.yaml": data})

"""What is written is read back as the same configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from configurations import ODD_TEXTS, configuration_of, rule_of

from reconciler.errors import Severity
from reconciler.language.reading.files import read_files
from reconciler.language.text.findings import Findings
from reconciler.language.writing.files import to_files, to_text
from reconciler.language.writing.written_out import write_out
from reconciler.language.writing.yaml_text import Plain, scalar, to_yaml
from reconciler.model.cluster import Configuration
from reconciler.model.rule import Rule
from reconciler.model.rule_text import parse_rule, show_rule

# A seed can't be shrunk in a way that means anything.
MANY = settings(max_examples=300, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
seeds = st.integers(0, 2**32)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=12) | st.sampled_from(ODD_TEXTS)


def read_back(files: dict[str, str]) -> Configuration:
    findings = Findings()
    draft = read_files({name: text.encode() for name, text in files.items()}, findings)
    assert [str(finding) for finding in findings.sorted() if finding.severity is Severity.ERROR] == []
    return draft.configuration


@MANY
@given(seeds)
def test_files_are_read_back_as_the_same_configuration(seed: int) -> None:
    configuration = configuration_of(seed)
    settled = write_out(configuration)
    assert read_back(to_files(configuration)) == settled
    assert read_back({"all.yaml": to_text(configuration)}) == settled


@MANY
@given(seeds)
def test_writing_out_twice_changes_nothing_more(seed: int) -> None:
    configuration = configuration_of(seed)
    settled = write_out(configuration)
    assert write_out(settled) == settled
    assert to_files(settled) == to_files(configuration)


@settings(max_examples=400, deadline=None)
@given(texts, st.booleans())
def test_every_reader_of_yaml_takes_a_scalar_for_its_text(text: str, in_brackets: bool) -> None:
    written = f"k: [{scalar(text)}]" if in_brackets else f"k: {scalar(text)}"
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        held = yaml.load(written, loader)["k"]
        assert (held[0] if in_brackets else held) == text


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
    )
)
def test_every_reader_of_yaml_takes_data_for_the_same(data: object) -> None:
    assert yaml.safe_load(to_yaml({"k": data})) == {"k": data}  # type: ignore[dict-item]  # Any plain data.


@MANY
@given(seeds)
def test_a_rule_that_text_can_say_is_read_back_from_it(seed: int) -> None:
    rule = rule_of(seed)
    text = show_rule(rule)
    if text is not None:
        assert parse_rule(text) == Rule(rule.expressions, rule.boolean_op)


def test_numbers_and_booleans_stand_without_quotes_only_where_they_may() -> None:
    assert [scalar(text) for text in ("5", "true", "1.10", "010", "yes")] == [
        "'5'",
        "'true'",
        "'1.10'",
        "'010'",
        "'yes'",
    ]
    assert [scalar(Plain(text)) for text in ("5", "true", "1.10", "010", "yes")] == [
        "5",
        "true",
        "'1.10'",
        "'010'",
        "'yes'",
    ]


def test_a_large_configuration_is_continued_in_further_files() -> None:
    text = "".join(
        f"  p{number}: {{agent: 'ocf:heartbeat:Dummy', params: {{a: {'x' * 900}}}}}\n" for number in range(700)
    )
    configuration = read_back({"all.yaml": f"primitives:\n{text}"})
    files = to_files(configuration)
    assert list(files) == ["resources.yaml", "resources-2.yaml", "resources-3.yaml"]
    assert read_back(files) == configuration

"""`reconciler simulate` beside the program that it stands for: the same options over the same documents print the same.

Known differences, all deliberate:

| option | crm_simulate 2.1.5 | here | because |
| --- | --- | --- | --- |
| `-q` without other events | has no effect | has its effect | what is printed would be decided under the wrong quorum |
| `-u` and then actions on guest nodes | takes the guests for full members | they stay guests | it is what the cluster would do |
| `-d`, `-f`, `-i` of an unknown node | stops with an assertion | says that there is no such node | |
| `-i` of an unknown resource, or unreadable | goes on without it | is an error | a what-if without its "if" misleads |
| log lines about private parameters among the scores | printed | not printed | they belong to a log, and their intervals are wrong |
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

import pytest
from published_cases import needs_cases, needs_oracle, oracle, xml_of

from reconciler.analysis.injection import InjectionError
from reconciler.cli.inputs.cib_file import CibFileError
from reconciler.cli.options import UsageError, value_of
from reconciler.cli.pacemaker import simulate as cmd_simulate
from reconciler.cli.terminal.output import OutputError

CASES = [
    "simple7",
    "whitebox-fail1",
    "bundle-replicas-change",
    "ticket-primitive-5",
    "stonith-0",
    "utilization-order4",
    "failed-probe-clone",
    "promoted-asymmetrical-order",
    "order-mandatory",
    "expire-non-blocked-failure",
]

OPTIONS = [
    "",
    "-R",
    "-S",
    "-Q",
    "-SQ",
    "-s",
    "-R -s",
    "-S -s",
    "-S -sQ",
    "-R -s -U",
    "-S -U -Q",
    "-S -s --text-fancy",
    "-sU --text-fancy",
    "-A -c",
    "-A -c -s",
    "-S -t 2030-01-01T12:30:00Z",
]

EVENTS = [
    ("simple7", "-S -u node1 -u node3"),
    ("simple7", "-S -f node1"),
    ("simple7", "-R -d node1 -Q -s"),
    ("whitebox-fail1", "-S -f 18node2"),
    ("whitebox-fail1", "-S -d 18node1 -s"),
    ("ticket-primitive-5", "-S -g ticketA"),
    ("ticket-primitive-5", "-S -r ticketA -b ticketB -e ticketA"),
    ("ticket-primitive-5", "-S -g ticketA -F rsc1_start_0@node2=1"),
    ("stonith-0", "-R -q 0 -w 1"),
    ("whitebox-fail1", "-R -i M_monitor_10000@18node1=1"),
    ("whitebox-fail1", "-S -i D_monitor_10000@18node1=7 -F D_stop_0@18node1=1"),
    ("on_fail_demote1", "-S -F rsc1_demote_0@rhel7-4=7"),
]


WITH_GUESTS = ("whitebox-fail1", "on_fail_demote1")


def ours(*words: str) -> str:
    parser = argparse.ArgumentParser()
    cmd_simulate.add_arguments(parser)
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        cmd_simulate.run(value_of(cmd_simulate.Options, parser.parse_args(words)))
    return text.getvalue()


def comparable(text: str) -> list[str]:
    """The lines without what depends on the clock, and without log lines."""
    lines = (line for line in text.splitlines() if not line.startswith("Only 'private'"))
    return [line.partition("=")[0] if "attribute last-failure-" in line else line for line in lines]


@needs_cases
@needs_oracle
@pytest.mark.parametrize("options", OPTIONS)
def test_the_same_text(options: str):
    for case in CASES:
        words = ["-x", str(xml_of(case)), *options.split()]
        assert comparable(ours(*words)) == comparable(oracle("crm_simulate", *words).stdout), case


@needs_cases
@needs_oracle
@pytest.mark.parametrize(("case", "options"), EVENTS)
def test_the_same_text_after_events(case: str, options: str):
    words = ["-x", str(xml_of(case)), *options.split()]
    assert comparable(ours(*words)) == comparable(oracle("crm_simulate", *words).stdout)


@needs_cases
@needs_oracle
@pytest.mark.parametrize(("case", "options"), EVENTS)
def test_what_is_saved_is_taken_up_by_the_reference_in_the_same_way(case: str, options: str, tmp_path: Path):
    # The input that the reference saves also holds resources that it made for guests, which are no part of the configuration.
    kinds = ["-O"] if case in WITH_GUESTS else ["-I", "-O"]
    texts = []
    for name in ("ours", "theirs"):
        saved = {kind: str(tmp_path / f"{name}{kind}.xml") for kind in kinds}
        words = ["-x", str(xml_of(case)), *options.split(), *(word for pair in saved.items() for word in pair)]
        if name == "ours":
            ours(*words)
        else:
            oracle("crm_simulate", *words)
        texts.append([comparable(oracle("crm_simulate", "-R", "-s", "-x", path).stdout) for path in saved.values()])
    assert texts[0] == texts[1]


@needs_cases
@needs_oracle
@pytest.mark.parametrize("case", CASES)
def test_the_same_graphs(case: str, tmp_path: Path):
    made = {name: (tmp_path / f"{name}.xml", tmp_path / f"{name}.dot") for name in ("ours", "theirs")}
    for name, (xml, dot) in made.items():
        words = ["-x", str(xml_of(case)), "-RQ", "-a", "-G", str(xml), "-D", str(dot)]
        if name == "ours":
            ours(*words)
        else:
            oracle("crm_simulate", *words)
    assert made["ours"][0].read_text() == made["theirs"][0].read_text()
    assert sorted(made["ours"][1].read_text().splitlines()) == sorted(made["theirs"][1].read_text().splitlines())


SMALL = """<cib have-quorum="1" dc-uuid="1" execution-date="1700000000" validate-with="pacemaker-3.9"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="f" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/></nodes>
<resources><primitive id="A" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/></configuration>
<status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.xml"
    path.write_text(SMALL)
    return str(path)


def test_quorum_alone_has_its_effect(small: str):
    assert "due to no quorum (blocked)" in ours("-x", small, "-R", "-q", "0")


def test_in_place_keeps_what_came_of_it(small: str):
    assert "A\t(ocf:pacemaker:Dummy):\t Started n1" in ours("-x", small, "-X")
    assert "A\t(ocf:pacemaker:Dummy):\t Started n1" in ours("-x", small)
    assert "* Start" not in ours("-x", small, "-R")


def test_a_compressed_document_is_read(small: str, tmp_path: Path):
    import bz2

    packed = tmp_path / "pe-input-1.bz2"
    packed.write_bytes(bz2.compress(SMALL.encode()))
    assert ours("-x", str(packed), "-S") == ours("-x", small, "-S")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ("-d n9", InjectionError, "there is no node n9"),
        ("-i A_monitor_0@n9=1", InjectionError, "there is no node n9"),
        ("-i B_monitor_0@n1=1", InjectionError, "no primitive is known as B"),
        ("-i nonsense", InjectionError, "expected <resource>_<task>_<interval in ms>@<node>=<result code>"),
        ("-q maybe", InjectionError, "give true or false"),
        ("-t someday", UsageError, "expected ISO 8601"),
        ("-N 3", UsageError, "not supported"),
        ("-P dir", UsageError, "not supported"),
        ("-O /nonexistent/dir/x", OutputError, "write /nonexistent/dir/x"),
    ],
)
def test_what_makes_no_sense_is_refused(options: str, error: type[Exception], text: str, small: str):
    with pytest.raises(error, match=text.replace("(", r"\(")):
        ours("-x", small, *options.split())


def test_a_live_cluster_is_not_read_here():
    with pytest.raises(UsageError, match="reconciler status"):
        ours("-L")


def test_without_a_document_nothing_is_guessed():
    with pytest.raises(UsageError, match="no CIB given"):
        ours("-S")


def test_a_missing_file_is_named():
    with pytest.raises(CibFileError, match=r"read /nonexistent\.xml"):
        ours("-x", "/nonexistent.xml")

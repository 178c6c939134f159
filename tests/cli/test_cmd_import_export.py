"""The way from a Pacemaker CIB into files of the language, and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from published_cases import needs_cases, needs_oracle, oracle, xml_of

from reconciler.interop.reading.cib import read_cib

CIB = """<cib validate-with="pacemaker-3.9"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="x" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/></nodes>
<resources><primitive id="web" class="ocf" provider="heartbeat" type="apache">
<operations><op id="web-monitor-interval-10s" name="monitor" interval="10s"/></operations></primitive>
<odd id="thing"/></resources>
<constraints><rsc_location id="l" rsc="web" node="n1" score="50"/></constraints></configuration><status/></cib>"""


def reconciler(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reconciler.cli.main", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, input=stdin, check=False, timeout=60)


@pytest.fixture
def cib(tmp_path: Path) -> Path:
    path = tmp_path / "cib.xml"
    path.write_text(CIB)
    return path


def test_import_says_where_the_language_differs_from_pacemaker(tmp_path: Path):
    """Its own defaults are written out, and named."""
    clones = "".join(
        f'<clone id="{id}">{meta}<primitive id="{id}i" class="ocf" provider="pacemaker" type="Dummy"/></clone>'
        for id, meta in (
            ("silent", ""),
            ("says", '<meta_attributes id="m"><nvpair id="mi" name="interleave" value="true"/></meta_attributes>'),
        )
    )
    path = tmp_path / "cib.xml"
    path.write_text(CIB.replace('<odd id="thing"/>', clones))
    done = reconciler("import", path)
    notes = [line for line in done.stderr.splitlines() if "note:" in line]
    assert done.stdout.count("interleave: false") == 1
    assert [line for line in notes if "interleave" in line and "for silent (" in line] == notes[:1]
    assert [line for line in notes if "order keeps the order of the CIB" in line] == notes[1:2]
    assert [line for line in notes if "stonith-enabled is called fencing-enabled" in line] == notes[2:]


def test_import_prints_one_text_without_made_up_ids(cib: Path):
    done = reconciler("import", cib)
    assert done.returncode == 0, done.stderr
    assert "agent: ocf:heartbeat:apache" in done.stdout
    assert "web-monitor-interval-10s" not in done.stdout
    assert f"{cib}:6:1: warning: <odd> is no kind of resource and is ignored [resource-unknown]" in done.stderr


def test_ids_are_kept_on_demand(cib: Path):
    assert "web-monitor-interval-10s" in reconciler("import", cib, "--keep-ids").stdout


def test_import_reads_standard_input():
    assert "ocf:heartbeat:apache" in reconciler("import", "-", stdin=CIB).stdout


def test_import_writes_files_and_never_over_others(cib: Path, tmp_path: Path):
    out = tmp_path / "cluster.d"
    assert reconciler("import", cib, "--out", out).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "cluster.yaml",
        "constraints.yaml",
        "nodes.yaml",
        "resources.yaml",
    ]
    (out / "nodes.yaml").write_text("# mine\n")
    again = reconciler("import", cib, "--out", out)
    assert again.returncode == 1
    assert "give --force to overwrite" in again.stderr
    assert (out / "nodes.yaml").read_text() == "# mine\n"
    assert reconciler("import", cib, "--out", out, "--force").returncode == 0
    assert (out / "nodes.yaml").read_text() != "# mine\n"


@pytest.mark.parametrize(("text", "code"), [("<cib>", "xml-malformed"), ("<html/>", "cib-root")])
def test_what_is_no_cib_is_refused(text: str, code: str):
    done = reconciler("import", "-", stdin=text)
    assert done.returncode == 1
    assert code in done.stderr
    assert "Traceback" not in done.stderr


def test_what_only_the_language_refuses_is_accepted_where_it_stands(cib: Path, tmp_path: Path):
    cib.write_text(CIB.replace('name="stonith-enabled" value="false"', 'name="no_quorum-policy" value="stop"'))
    done = reconciler("import", cib, "--out", tmp_path / "out")
    assert done.returncode == 0
    assert f"{tmp_path}/out/cluster.yaml:4:13: warning: there is no option 'no_quorum-policy'" in done.stderr
    assert "  # reconciler: accept unknown-option because" in (tmp_path / "out/cluster.yaml").read_text()
    assert reconciler("export", tmp_path / "out").returncode == 0
    validated = reconciler("validate", tmp_path / "out")
    assert validated.returncode == 0, validated.stdout + validated.stderr


def test_a_truth_value_that_is_none_becomes_what_pacemaker_reads(cib: Path, tmp_path: Path):
    cib.write_text(CIB.replace('name="stonith-enabled" value="false"', 'name="stonith-enabled" value="perhaps"'))
    done = reconciler("import", cib)
    assert done.returncode == 0
    assert (
        "the options: stonith-enabled: 'perhaps' is neither true nor false; Pacemaker takes it as true" in done.stderr
    )
    assert "fencing-enabled: true" in done.stdout


def test_a_loop_of_orders_is_refused_with_its_new_place(cib: Path, tmp_path: Path):
    """What Pacemaker decides then hangs on where it happens to break the loop."""
    orders = '<rsc_order id="o1" first="web" then="db"/><rsc_order id="o2" first="db" then="web"/>'
    other = '<primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/>'
    cib.write_text(CIB.replace('<odd id="thing"/>', other).replace("<constraints>", f"<constraints>{orders}"))
    done = reconciler("import", cib, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"{tmp_path}/out/constraints.yaml:" in done.stderr
    assert "[order-loop]" in done.stderr


def test_an_influence_that_says_nothing_is_left_out_and_told(cib: Path):
    together = '<rsc_colocation id="c" rsc="web" with-rsc="db" score="5" influence="maybe"/>'
    other = '<primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/>'
    cib.write_text(CIB.replace('<odd id="thing"/>', other).replace("<constraints>", f"<constraints>{together}"))
    done = reconciler("import", cib)
    assert done.returncode == 0
    assert "note: c: the influence 'maybe' is neither true nor false and is left out" in done.stderr
    assert "maybe" not in done.stdout


@needs_cases
@needs_oracle
def test_what_comes_back_is_the_same_configuration(tmp_path: Path):
    original = xml_of("whitebox-fail1")
    assert reconciler("import", original, "--out", tmp_path / "d").returncode == 0
    exported = tmp_path / "exported.xml"
    done = reconciler("export", "--format", "cib-xml", tmp_path / "d", "--out", exported)
    assert done.returncode == 0, done.stderr
    assert {resource.id for resource in read_cib(exported.read_bytes()).configuration.resources} == {
        resource.id for resource in read_cib(original.read_bytes()).configuration.resources
    }
    verified = oracle("crm_verify", "-V", "-x", exported)
    assert "not valid" not in verified.stderr


def test_export_prints_a_document(cib: Path):
    done = reconciler("export", cib)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<cib ")
    assert 'name="stonith-enabled"' in done.stdout


def test_simulate_is_a_command(cib: Path):
    done = reconciler("simulate", "-x", cib, "-S")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Current cluster status:\n  * Node List:\n    * OFFLINE: [ n1 ]\n")


def test_a_usage_error_ends_with_64(cib: Path):
    assert reconciler("simulate", "-x", cib, "--no-such-option").returncode == 64
    assert reconciler("export", "--format", "toml", cib).returncode == 64

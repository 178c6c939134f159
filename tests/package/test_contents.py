"""What is in the package: everything that the program needs, under the names under which Debian expects it, and the same each time."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from pathlib import Path

import pytest

from reconciler.version import __version__

from .conftest import REPOSITORY, UNCOMPRESSED, build

SITE = "usr/lib/reconciler/lib/python3.11/site-packages"
UNIT = REPOSITORY / "share" / "systemd" / "reconciler.service"
SCRIPTS = ("postinst", "postrm", "prerm")


@pytest.fixture(scope="module")
def tree(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, unpacked; Debian's own interpreter lies where its environment looks for it."""
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--raw-extract", package, root], check=True)
    (root / "usr" / "bin" / "python3").symlink_to("/usr/bin/python3")
    return root


def launched(tree: Path, *words: str) -> str:
    """What the installed program prints; nothing of this checkout is in its way."""
    command = [tree / "usr/lib/reconciler/bin/python3", "-I", tree / "usr/bin/reconciler", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_the_version_of_the_program(package: Path) -> None:
    asked = ["dpkg-deb", "--show", "--showformat", "${Package} ${Version}", package]
    assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout == f"reconciler {__version__}-1"


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/reconciler",
        "lib/systemd/system/reconciler.service",
        "usr/lib/tmpfiles.d/reconciler.conf",
        "etc/reconciler/node.yaml",
        "usr/share/man/man8/reconciler-run.8.gz",
        "usr/share/bash-completion/completions/reconciler",
        "usr/share/zsh/vendor-completions/_reconciler",
        "usr/share/reconciler/schemas/node.json",
        "usr/share/doc/reconciler/examples/cluster.d/cluster.yaml",
        "usr/share/doc/reconciler/docs/guide/packages.md",
        "usr/share/doc/reconciler/copyright",
        f"{SITE}/reconciler/agents/ocf/Dummy",
    ],
)
def test_it_brings(tree: Path, path: str) -> None:
    assert (tree / path).is_file()


def test_the_program_runs_from_it_alone(tree: Path) -> None:
    assert launched(tree, "--version") == f"reconciler {__version__}\n"
    launched(tree, "validate", str(tree / "usr/share/doc/reconciler/examples/cluster.d"))
    assert "0 sources" in launched(tree, "run", "--config", str(tree / "etc/reconciler/node.yaml"), "--check")


def test_every_module_is_compiled_for_the_interpreter_that_runs_it(tree: Path) -> None:
    """Nothing is compiled at a start: what is compiled would be found to be older or newer than its source, and left aside."""
    script = """if True:
        import importlib.util, os, sys
        for directory, _, names in os.walk(sys.argv[1]):
            for name in names:
                source = os.path.join(directory, name)
                if name.endswith(".py"):
                    with open(importlib.util.cache_from_source(source), "rb") as file:
                        head = file.read(16)
                    assert head[:4] == importlib.util.MAGIC_NUMBER, source
                    assert int.from_bytes(head[8:12], "little") == int(os.stat(source).st_mtime), source
    """
    subprocess.run(["/usr/bin/python3", "-I", "-c", script, tree / SITE], check=True)


def test_nothing_in_it_names_where_it_was_built(tree: Path) -> None:
    for path in (tree / SITE / "reconciler").rglob("*.pyc"):
        assert str(REPOSITORY).encode() not in path.read_bytes()
    assert "/tmp/" not in (tree / SITE / "reconciler" / "__pycache__" / "version.cpython-311.pyc").read_bytes().decode(
        "latin-1"
    )


def test_everything_in_it_belongs_to_root_and_is_written_by_nobody_else(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True).stdout
    entries = [line.split(maxsplit=5) for line in listed.splitlines()]
    assert {owner for _, owner, *_ in entries} == {"root/root"}
    assert [entry for entry in entries if entry[0][0] != "l" and "w" in entry[0][4:]] == []


def test_no_file_is_without_its_sum(tree: Path) -> None:
    named = {line.split(maxsplit=1)[1] for line in (tree / "DEBIAN" / "md5sums").read_text().splitlines()}
    there = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() and not path.is_symlink()}
    assert named == {path for path in there if not path.startswith("DEBIAN/")}


def test_settings_are_kept_on_an_upgrade(tree: Path) -> None:
    conffiles = (tree / "DEBIAN" / "conffiles").read_text().split()
    assert conffiles == [f"/{path.relative_to(tree)}" for path in (tree / "etc").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_runs_at_installation_is_a_shell_script_that_ends_at_the_first_failure(tree: Path, name: str) -> None:
    script = tree / "DEBIAN" / name
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", script], check=True)
    assert "\nset -e\n" in script.read_text()


def test_what_the_unit_makes_is_made_without_it_too(tree: Path) -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), flags=re.MULTILINE))
    made = re.findall(r"^d (\S+) (\d+) root root -$", (tree / "usr/lib/tmpfiles.d/reconciler.conf").read_text(), re.M)
    assert made == [
        (f"/run/{unit['RuntimeDirectory']}", unit["RuntimeDirectoryMode"]),
        (f"/var/lib/{unit['StateDirectory']}", unit["StateDirectoryMode"]),
    ]


def test_each_package_in_it_has_its_licence_told(tree: Path) -> None:
    told = (tree / "usr/share/doc/reconciler/copyright").read_text()
    brought = [path.name for path in (tree / SITE).glob("*.dist-info") if not path.name.startswith("reconciler-")]
    assert len(brought) > 10
    assert [name for name in brought if f"/{name}/*" not in told] == []
    assert not gzip.decompress((tree / "usr/share/doc/reconciler/changelog.gz").read_bytes()).startswith(
        b"reconciler ("
    )


def test_the_same_checkout_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    environment = {**UNCOMPRESSED, "TMPDIR": str(tmp_path), "PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu"}
    again = build(tmp_path / "again", environment=environment)
    assert again.read_bytes() == package.read_bytes()

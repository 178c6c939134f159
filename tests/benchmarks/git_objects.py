"""Measure what is done with git objects in this process against git processes that do the same.

    python tests/benchmarks/git_objects.py             # medians of 20 runs, in milliseconds
    python tests/benchmarks/git_objects.py --files 1000 --runs 50

facts      one commit's author, time, subject and parents
reference  what a reference points at
ancestor   whether a commit descends from its parent
export     the pack of a commit that changes one file of `--files`
import     taking that pack in, durably
files      all files of a commit: what is read by one git process here, and what it would take object by object
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable

from reconciler.sources.git_command import run_git
from reconciler.sources.git_tree import list_tree
from reconciler.sources.objects import Objects
from reconciler.sources.repository import Repository

REFERENCE = "refs/reconciler/active"
PATH = "cluster.d"


def measured(work: Callable[[], object], runs: int) -> str:
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    return f"{statistics.median(times):8.2f} ({min(times):.2f} to {max(times):.2f})"


def export_by_git(path: str, commit: str, base: str) -> bytes:
    """As it was done before: two listings, two root trees, the commits, the pack."""
    names = set()
    for one, keep in ((commit, True), (base, False)):
        found = {entry.id for entry in list_tree(path, one, PATH, trees=True)}
        found.add(run_git(path, "rev-parse", f"{one}^{{tree}}").decode().strip())
        names = found if keep else names - found
    names |= set(run_git(path, "rev-list", commit, f"^{base}").decode().split())
    given = "".join(f"{name}\n" for name in sorted(names)).encode()
    return run_git(path, "pack-objects", "--stdout", "--quiet", given=given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        repository = Repository(f"{place}/node.git")
        files = {f"{n:04}.yaml": f"a: {n}\n".encode() * 100 for n in range(options.files)}
        base = repository.commit(files, "base", reference=REFERENCE, parent=None, path=PATH, time_s=1)
        files["0007.yaml"] = b"b: 2\n"
        commit = repository.commit(files, "change", reference=REFERENCE, parent=base, path=PATH, time_s=2)
        repository.maintain()
        path, objects = repository.path, Objects(repository.path)
        pack = repository.export_pack(commit, PATH, base)
        whole = repository.export_pack(base, PATH)
        peers = [Repository(f"{place}/{n}.git") for n in range(2 * options.runs)]
        for peer in peers:
            peer.import_pack(whole)
        others = iter(peers)
        blobs = [entry.id for entry in list_tree(path, commit, PATH)]
        import_words = ("index-pack", "--stdin", "--fsck-objects", "--fix-thin")
        rows: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
            (
                "facts",
                lambda: repository.facts(commit),
                lambda: run_git(path, "log", "-1", "--format=%H%x00%P%x00%s", commit),
            ),
            ("reference", lambda: repository.reference(REFERENCE), lambda: run_git(path, "for-each-ref", REFERENCE)),
            (
                "ancestor",
                lambda: repository.is_ancestor(base, commit),
                lambda: run_git(path, "rev-list", "--max-count=1", base, f"^{commit}"),
            ),
            ("export", lambda: repository.export_pack(commit, PATH, base), lambda: export_by_git(path, commit, base)),
            (
                "import",
                lambda: next(others).import_pack(pack),
                lambda: run_git(next(others).path, *import_words, given=pack),
            ),
            (
                "files",
                lambda: [objects.find(name, 1 << 22) for name in blobs],
                lambda: repository.files(commit, PATH),
            ),
        ]
        print(f"{'':10} {'here, ms':30} {'git processes, ms':30}")
        for name, here, by_git in rows:
            print(f"{name:10} {measured(here, options.runs):30} {measured(by_git, options.runs):30}")
        print(
            f"the pack has {len(pack)} bytes; {subprocess.run(['git', 'version'], capture_output=True, text=True).stdout.strip()}"
        )


if __name__ == "__main__":
    main()

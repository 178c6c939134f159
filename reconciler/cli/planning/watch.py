"""Apply a directory whenever it changes, until interrupted.

Every state of the directory that has come to rest is proposed to the node; what is wrong with it is printed, and what was
active stays. Nothing is asked: what would do harm is refused until it has consent, as a push is. A node can watch a directory by
itself as well (`sources:` in its node.yaml).
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence

from reconciler.cli.node.client import Client, ClientError, Refused, add_socket_argument
from reconciler.cli.options import seconds
from reconciler.cli.terminal.paint import add_colour_argument
from reconciler.cli.terminal.printing import complain
from reconciler.errors import Finding, ReconcilerError
from reconciler.frozen import frozen

RESCAN_S = 30.0
"""How often the directory is looked at even when the kernel told of no change."""


class WatchError(ReconcilerError):
    """The directory can't be watched; nothing was proposed."""

    code = "watch"


@frozen
class Options:
    """What the command line asks for."""

    directory: str
    debounce: float
    timeout: float
    json: bool
    color: str
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("directory", nargs="?", default=".", help="the directory (default: the current one)")
    parser.add_argument(
        "--debounce", type=seconds, default=0.2, metavar="S", help="how long it must be at rest, in seconds (0.2)"
    )
    parser.add_argument(
        "--timeout", type=seconds, default=600.0, metavar="S", help="how long to wait for the cluster each time (600)"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines instead of texts")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Watch until interrupted; 0 then. Raises when the directory or the node is not there at the start."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    from reconciler.sources.snapshot import fingerprint

    changed = threading.Event()
    changed.set()

    class Hint(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type not in ("opened", "closed_no_write"):
                changed.set()

    client, proposed = Client(options.socket), ""
    client.get("/v1/health")
    observer = Observer()
    try:
        observer.schedule(Hint(), options.directory, recursive=True)
        observer.start()
    except OSError as error:
        raise WatchError(f"watch {options.directory}") from error
    try:
        while True:
            changed.wait(RESCAN_S)
            proposed = _at_rest(options, client, changed, proposed, fingerprint)
    except KeyboardInterrupt:
        return 0
    finally:
        observer.stop()


def _at_rest(
    options: Options, client: Client, changed: threading.Event, proposed: str, look: Callable[[str], str]
) -> str:
    """Propose the directory once nothing changes any more, unless it is as it was proposed last; what the node has been told of."""
    while changed.is_set():
        changed.clear()
        changed.wait(options.debounce)
    now = look(options.directory)
    return now if now == proposed or _propose(options, client) else proposed


def _propose(options: Options, client: Client) -> bool:
    """Propose the directory as it is; False when the node could not be asked, so that it is to be tried again."""
    from reconciler.cli.inputs.configurations import directory_files
    from reconciler.cli.planning.progress import open_progress
    from reconciler.cli.planning.proposal import follow, standing_problems
    from reconciler.errors import InputError

    try:
        texts = {path: data.decode() for path, data in directory_files(options.directory).items()}
        with open_progress(json=options.json, json_into=None) as progress:
            before = standing_problems(client)
            answer = client.post("/v1/proposals", {"files": texts, "message": f"watched {options.directory}"})
            progress.finish(follow(client, answer, options.timeout, progress.event, before))
    except UnicodeDecodeError as error:
        _say(options, f"{options.directory}: not proposed: a file is not UTF-8 ({error})", "not-utf-8")
    except InputError as error:
        _say(options, f"{options.directory}: not proposed", error.code, error.findings)
    except Refused as error:
        _say(options, f"refused: {error}", error.reason or error.code, error.findings)
    except ClientError as error:
        _say(options, f"{error}; trying again within {RESCAN_S:g} s", error.code)
        return False
    return True


def _say(options: Options, text: str, code: str, findings: Sequence[Finding] = ()) -> None:
    """Say what is wrong, in the form that is asked for."""
    if options.json:
        from reconciler.cli.planning.progress import JsonLines

        JsonLines(sys.stdout).error(text, code, [str(finding) for finding in findings])
        return
    for line in (text, *(f"  {finding}" for finding in findings)):
        complain(line)

"""What says that a status may be another one: the node's events, listened to beside whoever shows it."""

from __future__ import annotations

import queue
import threading
import time

from reconciler.cli.node.client import Client, ClientError


class Changes:
    """Listens from now on. Many events between two looks are one change."""

    def __init__(self, client: Client) -> None:
        self._changed: queue.Queue[None] = queue.Queue(maxsize=1)
        threading.Thread(target=self._listen, args=(client,), daemon=True).start()

    def wait(self, longest_s: float) -> bool:
        """Whether something changed, as soon as it does; False after so many seconds."""
        try:
            self._changed.get(timeout=longest_s)
        except queue.Empty:
            return False
        return True

    def _listen(self, client: Client) -> None:
        """Note every event; wait and try again while the node is away."""
        while True:
            try:
                for event in client.events():
                    if event["type"] != "alive" and not self._changed.full():
                        self._changed.put_nowait(None)
            except ClientError:
                time.sleep(1)

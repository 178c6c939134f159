"""Fuzzing what comes over a cluster's network: sessions of real members, one after the other, in one process whose memory is looked at."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import resource
import time
import traceback
from collections import Counter
from pathlib import Path

from .targets import Wrong
from .wire_files import shrunk
from .wire_messages import Sender
from .wire_scenes import recorded
from .wire_session import Session

LENGTHS = (100, 300, 300, 1_000)
LONGEST = 5_000
"""Now and then one session has so many messages: what grows in a member shows."""
MOST_BYTES = 64 * 1024 * 1024
"""What the members of a session may come to: the largest message is a quarter of it."""
MOST_GROWTH_MIB = 64
_WARM = 10_000


class WireFuzz:
    """Sessions, and what they came to."""

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        """Messages, and what happened besides, by what was done to them."""
        self.heaviest_bytes = 0
        self.slowest_s = 0.0
        self.first_mib = self.last_mib = self.most_mib = 0
        self._seconds = 0.0

    @property
    def messages(self) -> int:
        """How many messages were sent."""
        return sum(self.words.values()) - self.words["time"] - self.words["view"]

    def session(self, dice: random.Random) -> tuple[str, bytes]:
        """One session; how it ended, and for a Wrong end the session, made short. **Raises** nothing that a member fails with."""
        began = time.process_time()
        known = recorded()
        scene = known.scenes[dice.choice(sorted(known.scenes))]
        session = Session(scene, real=dice.random() < 0.1)
        try:
            return self._lived(session, Sender(known.messages, session, dice), dice), b""
        except Exception as error:  # noqa: BLE001 - what it is looking for
            what = str(error) if isinstance(error, Wrong) else traceback.format_exc()
            return f"wrong: {scene.name}: {what}", shrunk(session)
        finally:
            self.slowest_s = max(self.slowest_s, session.slowest_s)
            self._seconds += time.process_time() - began
            self._note_memory()

    def _lived(self, session: Session, sender: Sender, dice: random.Random) -> str:
        length = LONGEST if dice.random() < 0.02 else dice.choice(LENGTHS)
        while session.here and len(session.acts) < length:
            for word, act in sender.draw():
                if session.here:
                    self.words[word] += 1
                    session.act(act)
        end = session.check()
        self.heaviest_bytes = max(self.heaviest_bytes, weight := session.weight_bytes())
        if weight > MOST_BYTES:
            raise Wrong(f"the members take {weight} bytes")
        return end

    def _note_memory(self) -> None:
        self.last_mib = _resident_mib()
        self.most_mib = max(self.most_mib, self.last_mib)
        if self.messages < _WARM or not self.first_mib:
            self.first_mib = self.last_mib

    @property
    def _peak_mib(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    @property
    def grows(self) -> bool:
        """Whether this process takes more and more memory."""
        return self.last_mib > self.first_mib + MOST_GROWTH_MIB

    def report(self) -> str:
        """The figures."""
        words = ", ".join(f"{word} {count}" for word, count in self.words.most_common())
        rate = self.messages / max(self._seconds, 0.001)
        return (
            f"wire: {self.messages} messages, {rate:.0f} in a second of processor time ({words})\n"
            f"wire: resident {self.first_mib} MiB after the first {_WARM}, {self.last_mib} MiB at the end, most {self.most_mib}, "
            f"amid a message {self._peak_mib}\n"
            f"wire: the heaviest members {self.heaviest_bytes / 1024:.0f} KiB, the longest step {self.slowest_s:.2f} s"
        )


def _resident_mib() -> int:
    """What is left when all that is not needed was given back: the C library keeps what one large message took."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)

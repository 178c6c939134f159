"""Sessions as files: what was found is written down as short as it goes, and had again."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from reconciler.frozen import replace

from .wire_scenes import Plain, Scene
from .wire_session import Act, Session


def written(session: Session) -> bytes:
    """The session, so that it can be had again."""
    scene = session.scene
    plain = {"scene": scene.name, "view": scene.view.id, "real": session.real, "acts": list(map(_plain, session.acts))}
    return json.dumps(plain, indent=1).encode()


def replayed(data: bytes, scenes: Mapping[str, Scene]) -> str:
    """Have a written session once more; how it ended. Raises Wrong, and whatever a member fails with."""
    plain = json.loads(data)
    scene = scenes[plain["scene"]]
    # What the view of a scene is called changes with the simulator.
    called, now = f'"view":"{plain["view"]}'.encode(), f'"view":"{scene.view.id}'.encode()
    session = Session(scene, real=plain["real"])
    for act in map(_act, plain["acts"]):
        if session.here:
            session.act(replace(act, data=act.data.replace(called, now)))
    return session.check()


def shrunk(session: Session, limit: int = 300) -> bytes:
    """A shorter session with the same end, if there is one; at most so many are tried."""
    scenes = {session.scene.name: session.scene}
    wanted = _end(written(session), scenes)
    acts, size = session.acts, max(1, len(session.acts) // 2)
    while size:
        at = 0
        while at < len(acts) and limit:
            limit -= 1
            session.acts = acts[:at] + acts[at + size :]
            if _end(written(session), scenes) == wanted:
                acts = session.acts
            else:
                at += size
        size //= 2
    session.acts = acts
    return written(session)


def _end(data: bytes, scenes: Mapping[str, Scene]) -> str:
    try:
        return replayed(data, scenes)
    except Exception as error:  # noqa: BLE001 - whatever it is, the shorter one has to end with the same
        return f"{type(error).__name__}: {str(error)[:40]}"


def _plain(act: Act) -> Plain:
    if act.ms:
        return {"ms": act.ms}
    if act.members:
        return {"members": list(act.members), "good": act.good}
    try:
        return {"sender": act.sender, "text": act.data.decode()}
    except UnicodeDecodeError:
        return {"sender": act.sender, "bytes": base64.b64encode(act.data).decode()}


def _act(plain: Plain) -> Act:
    data = plain["text"].encode() if "text" in plain else base64.b64decode(plain.get("bytes", ""))
    return Act(
        plain.get("sender", ""), data, plain.get("ms", 0), tuple(plain.get("members", ())), plain.get("good", True)
    )

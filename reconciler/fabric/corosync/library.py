"""corosync's libraries: the functions and structures that we use of cpg, quorum, votequorum and cmap, and what their answers mean.

Nothing else in the program knows them. A test holds every structure and number against the development headers.
Source: cpg_overview(3), quorum_overview(3), votequorum_overview(3), cmap_overview(3).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from typing import Any, Final

from reconciler.errors import ReconcilerError, Remedy

CS_OK: Final = 1
CS_ERR_LIBRARY: Final = 2
CS_ERR_TIMEOUT: Final = 5
CS_ERR_TRY_AGAIN: Final = 6
CS_ERR_BAD_HANDLE: Final = 9
CS_ERR_ACCESS: Final = 11
CS_ERR_NOT_EXIST: Final = 12
CS_ERR_EXIST: Final = 14
CS_ERR_INTERRUPT: Final = 16
CS_ERR_SECURITY: Final = 100
CS_DISPATCH_ONE_NONBLOCKING: Final = 4
CS_TRACK_CURRENT: Final = 1
CS_TRACK_CHANGES: Final = 2
CPG_TYPE_AGREED: Final = 2
CPG_MODEL_V1: Final = 1
CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF: Final = 1
CPG_MAX_NAME_LENGTH: Final = 128
QUORUM_MODEL_V1: Final = 1
QUORUM_SET: Final = 1
VOTEQUORUM_INFO_TWONODE: Final = 1
VOTEQUORUM_INFO_LAST_MAN_STANDING: Final = 8
VOTEQUORUM_INFO_AUTO_TIE_BREAKER: Final = 16
VOTEQUORUM_INFO_ALLOW_DOWNSCALE: Final = 32
VOTEQUORUM_INFO_QDEVICE_REGISTERED: Final = 64
VOTEQUORUM_INFO_QDEVICE_CAST_VOTE: Final = 256
VOTEQUORUM_QDEVICE_MAX_NAME_LEN: Final = 255
CMAP_KEYNAME_MAXLEN: Final = 255

_MEANINGS: Mapping[int, str] = {
    2: "it is not running, or has ended",
    3: "it is of another version than its library",
    4: "it could not be initialised",
    5: "it did not answer in time",
    6: "it asks to try again later",
    7: "a parameter is invalid",
    8: "no memory is left",
    9: "the connection is not valid any more",
    10: "it is busy",
    11: "it refuses this user",
    12: "there is no such thing",
    14: "it exists already",
    15: "no space is left",
    16: "it was interrupted",
    18: "no resources are left",
    19: "it is not supported",
    23: "its queue is full",
    26: "it is too big",
    100: "it refuses this user",
}


class CorosyncError(ReconcilerError):
    """corosync can't be reached, or did not do what it was asked for. `status` is its answer, 0 where it did not come so far.

    `advice` says what an operator can do about it; it is empty where waiting is all.
    """

    code = "corosync"
    remedy = Remedy.RETRY

    def __init__(self, text: str, status: int = 0, advice: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.advice = advice


class CpgName(Structure):
    """The name of a group."""

    _fields_ = (("length", c_uint32), ("value", c_char * CPG_MAX_NAME_LENGTH))


class CpgAddress(Structure):
    """A process in a group, and why it came or went."""

    _fields_ = (("nodeid", c_uint32), ("pid", c_uint32), ("reason", c_uint32))


class RingId(Structure):
    """What names a ring, alike for cpg and for the quorum service."""

    _fields_ = (("nodeid", c_uint32), ("seq", c_uint64))


class Iovec(Structure):
    """A piece of memory."""

    _fields_ = (("iov_base", c_void_p), ("iov_len", c_size_t))


class VotequorumInfo(Structure):
    """How the votes stand."""

    _fields_ = (
        ("node_id", c_uint),
        ("node_state", c_uint),
        ("node_votes", c_uint),
        ("node_expected_votes", c_uint),
        ("highest_expected", c_uint),
        ("total_votes", c_uint),
        ("quorum", c_uint),
        ("flags", c_uint),
        ("qdevice_votes", c_uint),
        ("qdevice_name", c_char * VOTEQUORUM_QDEVICE_MAX_NAME_LEN),
    )


class VotequorumNode(Structure):
    """A node, and whether it is there."""

    _fields_ = (("nodeid", c_uint32), ("state", c_uint32))


_ADDRESSES = (POINTER(CpgAddress), c_size_t)
_NODES = (c_uint32, POINTER(c_uint32))
CpgDeliver = ctypes.CFUNCTYPE(None, c_uint64, POINTER(CpgName), c_uint32, c_uint32, c_void_p, c_size_t)
CpgConfchg = ctypes.CFUNCTYPE(None, c_uint64, POINTER(CpgName), *_ADDRESSES, *_ADDRESSES, *_ADDRESSES)
CpgTotemConfchg = ctypes.CFUNCTYPE(None, c_uint64, RingId, *_NODES)
QuorumNotify = ctypes.CFUNCTYPE(None, c_uint64, c_uint32, RingId, *_NODES)
QuorumNodelistNotify = ctypes.CFUNCTYPE(None, c_uint64, RingId, *_NODES, *_NODES, *_NODES)
VotequorumNotify = ctypes.CFUNCTYPE(None, c_uint64, c_uint64, c_uint32, c_uint32, POINTER(VotequorumNode))
VotequorumExpectedNotify = ctypes.CFUNCTYPE(None, c_uint64, c_uint64, c_uint32)
VotequorumNodelistNotify = ctypes.CFUNCTYPE(None, c_uint64, c_uint64, RingId, *_NODES)


class CpgModelV1(Structure):
    """What cpg calls."""

    _fields_ = (
        ("model", c_uint32),
        ("cpg_deliver_fn", CpgDeliver),
        ("cpg_confchg_fn", CpgConfchg),
        ("cpg_totem_confchg_fn", CpgTotemConfchg),
        ("flags", c_uint),
    )


class QuorumModelV1(Structure):
    """What the quorum service calls."""

    _fields_ = (
        ("model", c_uint32),
        ("quorum_notify_fn", QuorumNotify),
        ("nodelist_notify_fn", QuorumNodelistNotify),
    )


class VotequorumCallbacks(Structure):
    """What votequorum calls."""

    _fields_ = (
        ("votequorum_quorum_notify_fn", VotequorumNotify),
        ("votequorum_expectedvotes_notify_fn", VotequorumExpectedNotify),
        ("votequorum_nodelist_notify_fn", VotequorumNodelistNotify),
    )


_HANDLE = POINTER(c_uint64)
FUNCTIONS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "libcpg.so.4": {
        "cpg_model_initialize": (_HANDLE, c_uint, POINTER(CpgModelV1), c_void_p),
        "cpg_finalize": (c_uint64,),
        "cpg_fd_get": (c_uint64, POINTER(c_int)),
        "cpg_local_get": (c_uint64, POINTER(c_uint)),
        "cpg_join": (c_uint64, POINTER(CpgName)),
        "cpg_leave": (c_uint64, POINTER(CpgName)),
        "cpg_dispatch": (c_uint64, c_int),
        "cpg_mcast_joined": (c_uint64, c_int, POINTER(Iovec), c_uint),
    },
    "libquorum.so.5": {
        "quorum_model_initialize": (_HANDLE, c_uint, POINTER(QuorumModelV1), POINTER(c_uint32), c_void_p),
        "quorum_finalize": (c_uint64,),
        "quorum_fd_get": (c_uint64, POINTER(c_int)),
        "quorum_trackstart": (c_uint64, c_uint),
        "quorum_dispatch": (c_uint64, c_int),
    },
    "libvotequorum.so.8": {
        "votequorum_initialize": (_HANDLE, POINTER(VotequorumCallbacks)),
        "votequorum_finalize": (c_uint64,),
        "votequorum_fd_get": (c_uint64, POINTER(c_int)),
        "votequorum_trackstart": (c_uint64, c_uint64, c_uint),
        "votequorum_dispatch": (c_uint64, c_int),
        "votequorum_getinfo": (c_uint64, c_uint, POINTER(VotequorumInfo)),
    },
    "libcmap.so.4": {
        "cmap_initialize": (_HANDLE,),
        "cmap_finalize": (c_uint64,),
        "cmap_get_uint32": (c_uint64, c_char_p, POINTER(c_uint32)),
        "cmap_get_string": (c_uint64, c_char_p, POINTER(c_void_p)),
        "cmap_iter_init": (c_uint64, c_char_p, _HANDLE),
        "cmap_iter_next": (
            c_uint64,
            c_uint64,
            c_char * (CMAP_KEYNAME_MAXLEN + 1),
            POINTER(c_size_t),
            POINTER(c_int),
        ),
        "cmap_iter_finalize": (c_uint64, c_uint64),
    },
}


class Corosync:
    """The functions of corosync's libraries, by their own names; each answers with a status.

    A call may wait for as long as corosync does not answer; meanwhile other threads go on.
    """

    def __init__(self) -> None:
        """Load the libraries. Raises CorosyncError when they are not installed."""
        for file, functions in FUNCTIONS.items():
            try:
                library = ctypes.CDLL(file)
                for name, arguments in functions.items():
                    function = getattr(library, name)
                    function.argtypes, function.restype = arguments, c_int
                    setattr(self, name, function)
            except (OSError, AttributeError) as error:
                raise CorosyncError(
                    f"load {file}: {error}", advice="install corosync 3.1 or later, with its libraries"
                ) from error
        libc = ctypes.CDLL(None)
        self._free = libc.free
        self._free.argtypes, self._free.restype = (c_void_p,), None

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"corosync's libraries: {name} is not among the functions that are used")

    def take_string(self, pointer: c_void_p) -> str:
        """The text at a pointer, whose memory is given back."""
        text = ctypes.string_at(pointer.value or 0).decode("utf-8", "replace") if pointer.value else ""
        self._free(pointer)
        return text


def check(status: int, what: str) -> None:
    """Raises CorosyncError unless the answer is that all went well; `what` is what was asked for."""
    if status == CS_OK:
        return
    advice = ""
    if status in (CS_ERR_ACCESS, CS_ERR_SECURITY):
        advice = "run the daemon as root, or permit its user in corosync's uidgid section"
    elif status in (CS_ERR_LIBRARY, CS_ERR_BAD_HANDLE, CS_ERR_NOT_EXIST):
        advice = "start corosync on this host"
    raise CorosyncError(f"{what}: corosync says {_MEANINGS.get(status, 'an error')} ({status})", status, advice)

"""What we say of corosync's structures and numbers is what its development headers say."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

from machine import needs, needs_headers

from reconciler.fabric.corosync import library

HEADERS = ("cpg", "quorum", "votequorum", "cmap")
pytestmark = [needs("gcc"), needs_headers("stdio.h", *(f"corosync/{name}.h" for name in HEADERS))]
STRUCTURES: dict[str, type[ctypes.Structure]] = {
    "struct cpg_name": library.CpgName,
    "struct cpg_address": library.CpgAddress,
    "struct cpg_ring_id": library.RingId,
    "struct quorum_ring_id": library.RingId,
    "votequorum_ring_id_t": library.RingId,
    "struct iovec": library.Iovec,
    "cpg_model_v1_data_t": library.CpgModelV1,
    "quorum_model_v1_data_t": library.QuorumModelV1,
    "votequorum_callbacks_t": library.VotequorumCallbacks,
    "struct votequorum_info": library.VotequorumInfo,
    "votequorum_node_t": library.VotequorumNode,
}


def compile_and_run(directory: Path, body: str) -> str:
    includes = "".join(f"#include <corosync/{name}.h>\n" for name in HEADERS)
    source, program = directory / "sizes.c", directory / "sizes"
    source.write_text(
        f"#include <stdio.h>\n#include <stddef.h>\n#include <sys/uio.h>\n{includes}int main(void) {{\n{body}return 0;\n}}\n"
    )
    subprocess.run(["gcc", "-o", str(program), str(source)], check=True, capture_output=True, timeout=60)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=10).stdout


def test_structures_are_those_of_the_headers(tmp_path: Path) -> None:
    wanted, body = [], []
    for name, structure in STRUCTURES.items():
        body.append(f'printf("{name} %zu\\n", sizeof({name}));\n')
        wanted.append(f"{name} {ctypes.sizeof(structure)}")
        for field, *_ in structure._fields_:
            size = f"sizeof((({name} *)0)->{field})"
            body.append(f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), {size});\n')
            place = getattr(structure, field)
            wanted.append(f"{name}.{field} {place.offset} {place.size}")
    assert compile_and_run(tmp_path, "".join(body)).splitlines() == wanted


def test_numbers_are_those_of_the_headers(tmp_path: Path) -> None:
    names = [name for name in vars(library) if name.startswith(("CS_", "CPG_", "QUORUM_", "VOTEQUORUM_", "CMAP_"))]
    assert len(names) > 20
    body = "".join(f'printf("{name} %d\\n", (int){name});\n' for name in names)
    assert compile_and_run(tmp_path, body).splitlines() == [f"{name} {getattr(library, name)}" for name in names]


def test_functions_take_as_many_arguments_as_in_the_headers(tmp_path: Path) -> None:
    """The compiler refuses a call with more or fewer; it is only looked at, never made."""
    functions = {name: len(arguments) for some in library.FUNCTIONS.values() for name, arguments in some.items()}
    body = [
        f'printf("{name} %zu\\n", sizeof({name}({", ".join("0" * count)})));\n' for name, count in functions.items()
    ]
    told = compile_and_run(tmp_path, "".join(body)).splitlines()
    assert told == [f"{name} {ctypes.sizeof(ctypes.c_int)}" for name in functions]

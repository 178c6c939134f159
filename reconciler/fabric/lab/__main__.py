"""`python -m reconciler.fabric.lab DIRECTORY NODE…`: be the supervisor of a lab. `reconciler lab up` starts it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from reconciler.fabric.lab.supervisor import LabSupervisor

asyncio.run(LabSupervisor(Path(sys.argv[1]), tuple(sys.argv[2:])).run())

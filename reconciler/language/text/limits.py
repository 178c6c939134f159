"""What the reader takes at most: no input, broken or hostile, may cost more than these bounds allow."""

from __future__ import annotations

FILE_BYTES = 4 * 1024 * 1024
"""The size of one file."""

TOTAL_BYTES = 64 * 1024 * 1024
"""The size of all files together."""

FILES = 5_000
"""How many files."""

DOCUMENTS = 10_000
"""How many YAML documents in one file."""

DEPTH = 64
"""How deep mappings and lists may be nested."""

NODES = 500_000
"""How many values one document may have once its aliases are written out."""

TOTAL_NODES = 2_000_000
"""How many values all documents may have together."""

FINDINGS = 1_000
"""How many findings one run reports; more are counted, not kept."""

PATTERN_STEPS = 20_000_000
"""How many steps all patterns may take for all names together: some seconds at the very worst."""

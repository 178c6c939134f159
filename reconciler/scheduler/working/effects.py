"""Effects of an ordering "first then then", as bits of a set.

Source: the scheduler's specification, part 3, section 9.1, and section 11.4 for what each does exactly.
"""

from __future__ import annotations

from typing import Final

NONE: Final = 0
ORD: Final = 1 << 0  # order only
RT: Final = 1 << 1  # first required makes then required
RF: Final = 1 << 2  # then required would make first required; in effect removes first's migratability
RFP: Final = 1 << 3  # then required while its resource is promoted makes first required
RTN: Final = 1 << 4  # RT restricted to then's instances on first's node (unfencing)
RN: Final = 1 << 5  # first not runnable makes then not runnable
RST: Final = 1 << 6  # restart link: stop to start of one resource, later to earlier member's stop
MIGF: Final = 1 << 7  # first needs then runnable and migratable; required if then is
PSD: Final = 1 << 8  # first not runnable: then is no longer pseudo nor migratable
ANY: Final = 1 << 9  # first counts as one of the inputs that a "requires any" action needs
PRB: Final = 1 << 10  # RN, disabled if first is unrunnable while its resource is active
ASY: Final = 1 << 11  # asymmetric mandatory
SHT: Final = 1 << 12  # first required: then is shown
SHF: Final = 1 << 13  # then required: first is shown
SAME: Final = 1 << 14  # only if both are on the same node
CXL: Final = 1 << 15  # then required makes first optional
NOMIG: Final = 1 << 16  # in the graph only if first is not migratable
LOAD: Final = 1 << 17  # utilization
ANTI: Final = 1 << 18  # anti-colocation
SER: Final = 1 << 19  # serialize
KEEP: Final = 1 << 20  # made by the scheduler itself: never dropped as invalid

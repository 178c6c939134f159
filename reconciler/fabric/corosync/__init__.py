"""The fabric `corosync`: the closed process groups, the quorum service and the node list of the corosync that runs on this host.

`library` alone knows corosync's libraries, `connection` is one connection to them. `assembly` turns what they tell into views, and
`window` says what may be sent: both decide, and do no I/O. `member` is the fabric.
"""

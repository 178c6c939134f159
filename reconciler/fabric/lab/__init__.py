"""The fabric `lab`: several nodes on one machine, without root, and faults on command. For trying things out, never for data.

One process, the supervisor, starts the nodes, is their network (a sequencer on a Unix socket: views, one order, quorum) and their fence
device. It cuts nodes off from each other, stops and kills them, and switches them off: then everything of the node is gone, its resources
too. Several machines need corosync.
"""

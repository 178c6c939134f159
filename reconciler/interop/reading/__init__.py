"""Pacemaker's XML into the model. `cib.read_cib` is the entry; the other files read a section each."""

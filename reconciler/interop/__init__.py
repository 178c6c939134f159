"""Pacemaker's configuration formats, in and out. What is odd about reading them is dealt with here.

`reading.cib.read_cib` and `writing.cib` are the entries; `tidying` leaves out what only the XML needed.
"""

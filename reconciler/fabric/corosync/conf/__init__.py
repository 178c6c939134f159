"""corosync.conf as a value: read with the place of every line, judged, changed and written again. Nothing here does I/O.

`text` is the form of the file; whatever it holds stays as it is, also what nobody here knows. `nodes` reads the nodelist and what counts
the votes, `checks` says what is wrong with them, `edits` changes them, `votes` is the arithmetic of quorum, and `fresh` writes a first
one. Source: corosync.conf(5), votequorum(5), and what `corosync -t` of 3.1 takes and refuses.
"""

"""Where configurations come from: git repositories and directories, each version a commit in the node's own bare repository.

The entry is a `source.Source`: a task that calls back with commits, and with what keeps it from giving one; it never raises into
the daemon's loop. `repository.Repository` is the node's own.

It checks what can be checked without reading YAML (ancestry, signatures, sizes, kinds of files), and doesn't know whether a
commit is valid or will become active.
"""

"""Where configurations come from: git repositories and directories, each version a commit in the node's own bare repository.

A source is a task that calls back with commits and with what keeps it from giving one; it never raises into the daemon's loop.
"""

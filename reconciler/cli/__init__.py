"""The command line: a folder for each family of commands, below them the rooms that families share.

`main` is the entry; it loads the one module that `commands` names. A family does not know another one, but for the plan, which explaining
and editing show, too.
"""

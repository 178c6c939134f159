"""A high-availability cluster manager whose configuration lives in git.

The entry for people is `cli.main`, for a node `daemon`, for programs that only want an answer the pure packages: `language.load`
(files to a configuration), `scheduler.schedule` (a CIB to a plan), `analysis` (questions about it). A module imports only from
packages below its own (the contracts are in pyproject.toml); docs/architecture.md follows one request through all of them.
"""

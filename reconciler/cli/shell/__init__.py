"""The family for the shell: completion scripts, generated from the parsers of all commands (ci/generate)."""

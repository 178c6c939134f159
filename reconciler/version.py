"""The version of the program: read by the build, `--version` and every plan."""

__version__ = "0.1.0"

"""The family that works on the files: validate, fmt, show, diff. It needs no cluster."""

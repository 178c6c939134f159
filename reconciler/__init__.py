"""A high-availability cluster manager whose configuration lives in git."""

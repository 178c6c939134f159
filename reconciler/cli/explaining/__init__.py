"""The family that answers questions: why something is where it is, and what every failure would do."""

"""The family that talks with the running node: run, status, history, cleanup; and the client that every other family asks it by."""

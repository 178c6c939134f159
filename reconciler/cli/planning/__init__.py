"""The family that changes a cluster: plan, apply, rollback, watch; with a plan's forms, its file, and the progress of an apply."""

"""Questions on top of the scheduler: what if, what survives, why, and whether a plan is sound. Pure, like the scheduler itself."""

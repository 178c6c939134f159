"""Questions on top of the scheduler: what if, what survives, why, how long, and whether a plan is sound. Pure, like the scheduler
itself.

`consequences` (what a change does), `explanation` (why something is where it is, with edits that were tried), `failures` and
`survival` (what every failure would do), `execution` (a plan carried out in thought), `recording` (what a result leaves in the
status), `soundness` (a second program that judges plans).

It decides nothing and does nothing, and doesn't know who asks. `soundness` knows none of the scheduler's rules: it shares no code
with it, so that one mistake can't hide another.
"""

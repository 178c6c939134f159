"""From a view to an installed state: who takes part, in which term, with whose history, and who is the DC. Pure values and one machine.

`step(membership, event) -> (membership, effects)`: members tell each other what their disks hold (`Hello`), compute alike what follows
(`agree`), promise the term durably, fetch the donor's state if theirs is another, and are ready; with the last `Ready` the view is
installed. Nobody adopts a state, and nobody calls the term decided, before every member has durably promised it.
Source: the design of the cluster, "Membership", "Terms"; the model of terms in the tests.
"""

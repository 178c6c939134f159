"""The nouns of the product as frozen values, and how their texts are read.

This package is the glossary: `resource`, `constraint`, `rule`, `attributes`, `cluster`, `status` and, for texts, `score`,
`duration`, `text`; `settings` has every setting with its default and its words. Values are kept as the texts that Pacemaker keeps
(a score of a constraint is `"INFINITY"`, an interval `"10s"`), because a rule, a health strategy or the clock may decide what
they mean; `score`, `duration` and `text` are the one place that says how such a text is read.

It knows no format of files and no decision.
"""

"""The language of the configuration: YAML text to a Configuration, with every value's place, and back to YAML.

`load` is the entry: it reads, merges and judges everything, and answers with the configuration or with all that is wrong.
`writing.files.to_files` writes a configuration as files that `load` reads as the same configuration.

It never raises for what a file holds, and costs no more than its bounds allow. It doesn't know where the files come from, nor
what the scheduler makes of the configuration; agents are asked through a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import Finding
from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.metadata import AgentLookup


@frozen
class Loaded:
    """What loading gave: the configuration unless a finding is an error, and all findings sorted by place."""

    configuration: Configuration | None
    findings: tuple[Finding, ...]


def load(
    files: Mapping[str, bytes], *, strict: bool = False, agents: AgentLookup | None = None, twice: bool = False
) -> Loaded:
    """Read the files (path to content) as one configuration and judge it; with `strict`, warnings are errors.

    With `agents`, parameters and operations are checked against what the agents say about themselves. With `twice`, the form is judged by
    the jsonschema library as well, and a disagreement is an error (`judges-disagree`). Never raises for what the
    files hold: every fault is a finding.
    """
    from reconciler.language.loading import load_files

    configuration, findings = load_files(files, strict=strict, agents=agents, twice=twice)
    return Loaded(configuration, findings)

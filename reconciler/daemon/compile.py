"""From a commit in the node's repository to a configuration that this node can vouch for, or to the findings that speak against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from reconciler.cib.canonical import digest
from reconciler.errors import Finding, InputError, Place, ReconcilerError, Severity
from reconciler.frozen import frozen, replace
from reconciler.model.attributes import AttributeBlocks, secret_name
from reconciler.model.cluster import Configuration
from reconciler.model.metadata import AgentMetadata
from reconciler.model.resource import Agent, Bundle, Clone, Group, Primitive, Resource
from reconciler.sources.commit_object import CommitFacts
from reconciler.sources.repository import Repository

if TYPE_CHECKING:
    from reconciler.daemon.compile_apart import AgentSettings
    from reconciler.language import Loaded

AgentLookup = Callable[[Agent], AgentMetadata | None]

_FACTS_KEPT = 16
_QUICK_BYTES = 512 * 1024
"""The size of a configuration that is read in this process: about 5,000 resources, half a second."""


@frozen
class Judgement:
    """What examining a commit came to: a configuration with its digest, or the reason and the findings against it.

    Warnings are among the findings of a configuration that was found valid. `transient`: the reason may pass by itself.
    """

    commit: str
    configuration: Configuration | None
    digest: str = ""
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    transient: bool = False


class Judge:
    """What this node asks of a configuration: its repository, the agents it has, the secrets it can tell."""

    def __init__(
        self,
        repository: Repository,
        agents: AgentLookup | None,
        resolve_secret: Callable[[str], str | None],
        strict: bool = False,
        agent_settings: AgentSettings | None = None,
    ) -> None:
        """`agent_settings` are for a process that looks agents up by itself, `agents` is our own lookup."""
        self.repository = repository
        self.agents = agents
        self.agent_settings = agent_settings
        self.resolve_secret = resolve_secret
        self.strict = strict
        self._facts: dict[str, CommitFacts] = {}

    def facts(self, commit: str) -> CommitFacts:
        """A commit's facts, kept for the examination that follows. Blocks. Raises GitError when it is not here."""
        facts = self._facts.get(commit) or self.repository.facts(commit)
        self._facts = {**dict(list(self._facts.items())[-_FACTS_KEPT:]), commit: facts}
        return facts

    def examine(self, commit: str, base: str | None, path: str, rewrite: bool, lineage: str | None = None) -> Judgement:
        """Judge a commit that is to follow `base`, or else `lineage`, with its files below `path`.

        Blocks; raises nothing that the commit can cause.
        """
        try:
            if base is not None and not rewrite and not self._follows(base, lineage, commit):
                return _stray(commit, base)
            files = self.repository.files(commit, path)
        except InputError as error:
            return Judgement(commit, None, reason="its files can't be taken", findings=error.findings)
        except ReconcilerError as error:
            cause = f": {error.__cause__}" if error.__cause__ is not None else ""
            return Judgement(commit, None, reason=f"it can't be read: {error}{cause}", transient=True)
        return self.compile(commit, files)

    def _follows(self, base: str, lineage: str | None, commit: str) -> bool:
        """Whether the commit goes on from the active one, or from where its source stood before something local came."""
        if self._continues(base, commit):
            return True
        return lineage is not None and lineage != commit and self._continues(lineage, commit)

    def _continues(self, base: str, commit: str) -> bool:
        """Whether the commit descends from the base, which most are direct children of."""
        return base in self.facts(commit).parents or self.repository.is_ancestor(base, commit)

    def compile(self, commit: str, files: Mapping[str, bytes]) -> Judgement:
        """Judge the files of a commit."""
        loaded = self._load(files)
        configuration = loaded.configuration
        if configuration is None:
            errors = sum(finding.severity is Severity.ERROR for finding in loaded.findings)
            reason = f"it is invalid: {errors} error{'s' if errors != 1 else ''}"
            return Judgement(commit, None, reason=reason, findings=loaded.findings)
        missing = tuple(self._missing_secrets(configuration))
        if missing:
            return Judgement(commit, None, reason="this node can't tell its secrets", findings=missing, transient=True)
        # Places are for the findings; whoever explains decisions reads the commit's files again.
        configuration = replace(configuration, places={})
        return Judgement(commit, configuration, digest(configuration), findings=loaded.findings)

    def _load(self, files: Mapping[str, bytes]) -> Loaded:
        """Here when that is quick, else in a process of its own."""
        if sum(map(len, files.values())) > _QUICK_BYTES:
            from reconciler.daemon.compile_apart import load_apart

            return load_apart(files, strict=self.strict, agents=self.agent_settings)
        from reconciler.language import load

        return load(files, strict=self.strict, agents=self.agents)

    def _missing_secrets(self, configuration: Configuration) -> Iterator[Finding]:
        known: dict[str, bool] = {}
        for owner, name in sorted(set(_secrets(configuration))):
            if name not in known:
                known[name] = self.resolve_secret(name) is not None
            if not known[name]:
                place = _place(configuration, owner)
                hint = "give it to the node: a file in its secrets directory, a credential, or a command (node.yaml: secrets)"
                yield Finding(
                    "unknown-secret", place, f"{owner} needs the secret '{name}', which this node has not", hint
                )


def _stray(commit: str, base: str) -> Judgement:
    text = f"{commit[:12]} does not descend from the active commit {base[:12]}"
    hint = "rebase onto the active commit, or allow it: `history: rewrite` in the source, `--allow rewrite` on apply"
    return Judgement(commit, None, reason=text, findings=(Finding("not-descendant", Place(""), text, hint),))


def _secrets(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """The secrets that resources refer to, each with who does."""
    for template in configuration.templates:
        yield from _named(template.id, template.params)
    for resource in configuration.resources:
        yield from _of_resource(resource)
    yield from _named("defaults", configuration.defaults.resource_params)


def _of_resource(resource: Resource) -> Iterator[tuple[str, str]]:
    yield from _named(resource.id, resource.params)
    match resource:
        case Primitive():
            for operation in resource.operations:
                yield from _named(resource.id, operation.params)
        case Group():
            for member in resource.members:
                yield from _of_resource(member)
        case Clone():
            yield from _of_resource(resource.resource)
        case Bundle():
            if resource.primitive is not None:
                yield from _of_resource(resource.primitive)


def _named(owner: str, blocks: AttributeBlocks) -> Iterator[tuple[str, str]]:
    for block in blocks:
        for value in block.values.values():
            if (name := secret_name(value)) is not None:
                yield owner, name


def _place(configuration: Configuration, owner: str) -> Place:
    for address in sorted(configuration.places):
        if len(address) == 2 and address[1] == owner:
            return configuration.places[address]
    return Place("")

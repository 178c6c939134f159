"""From a commit in the node's repository to a configuration that this node can vouch for, or to the findings that speak against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from reconciler.cib import Cib
from reconciler.cib.canonical import digest
from reconciler.controller.admission import Course, follows, stray_finding
from reconciler.daemon.compile_apart import AgentSettings, Workers
from reconciler.daemon.secret_needs import definitions, needs
from reconciler.errors import Finding, InputError, Place, ReconcilerError, Severity
from reconciler.frozen import field, frozen, replace
from reconciler.model.cluster import Configuration
from reconciler.sources.ancestry import relation
from reconciler.sources.bounds import nothing_there
from reconciler.sources.repository import Repository
from reconciler.sources.signatures import SignaturePolicy, fingerprint, verify_commits

_VOUCHED_KEPT = 16
_GIVE_SECRET = "give it to the node: a file in its secrets directory, a credential, or a command (node.yaml: secrets)"
CONSENT_TRAILER = "Reconciler-Allow"
"""The trailer by which a commit consents to what a guard holds back."""


@frozen
class SourcePolicy:
    """What this node demands of a source's commits: signatures, and whether they may leave the line of what was active."""

    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    rewrite: bool = True


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
    allow: tuple[str, ...] = ()
    """What the commits on the way to it consent to, as it was written."""


class Judge:
    """What this node asks of a configuration: its repository, the agents it has, the secrets it can tell."""

    def __init__(
        self,
        repository: Repository,
        agents: AgentSettings | None,
        resolve_secret: Callable[[str], str | None],
        strict: bool = False,
        policy: Callable[[str], SourcePolicy] = lambda _: SourcePolicy(),
        nodes: Callable[[], tuple[str, ...]] = tuple,
        standing: Callable[[], tuple[Cib, frozenset[str]]] = lambda: (Cib(), frozenset()),
    ) -> None:
        """`agents` is where agents are asked what they take, None if they are not asked.

        `policy` is what this node demands of the commits of a source, whichever member's source that is; `nodes` are the members;
        `standing` is the CIB, with the ids of what is active on this node.
        """
        self.repository = repository
        self._agents = agents
        self._resolve_secret = resolve_secret
        self._strict = strict
        self._policy = policy
        self._nodes = nodes
        self._standing = standing
        self._workers = Workers()
        self._vouched: dict[str, str] = {}

    def warm(self) -> None:
        """Be ready to judge soon. Blocks for a moment."""
        self._workers.warm()

    def close(self) -> None:
        """Judge nothing more."""
        self._workers.close()

    def vouch(self, commit: str, policy: SignaturePolicy) -> None:
        """Note that the signatures of a commit were found good by this policy: they need not be looked at a second time."""
        self._vouched = {**dict(list(self._vouched.items())[-_VOUCHED_KEPT:]), commit: fingerprint(policy)}

    def examine(
        self,
        commit: str,
        base: str | None,
        path: str,
        rewrite: bool,
        lineage: str | None = None,
        source: str = "",
    ) -> Judgement:
        """Judge a source's commit that is to follow `base`, or else `lineage`, with its files below `path`, by this node's own policy.

        Blocks; raises nothing that the commit can cause.
        """
        policy = self._policy(source)
        try:
            if base is not None and not (rewrite and policy.rewrite) and not self._follows(base, lineage, commit):
                return _stray(commit, base)
            self._check_signatures(policy.signatures, commit, base, lineage)
            files = self.repository.files(commit, path)
            if not files:
                raise InputError((nothing_there(path or "."),))
            return replace(self.compile(commit, files), allow=self._consents(commit, base))
        except InputError as error:
            return Judgement(commit, None, reason="it can't be taken", findings=error.findings)
        except ReconcilerError as error:
            cause = f": {error.__cause__}" if error.__cause__ is not None else ""
            return Judgement(commit, None, reason=f"it can't be judged: {error}{cause}", transient=True)

    def _consents(self, commit: str, base: str | None) -> tuple[str, ...]:
        """What the commits consent to; a history that can't be read consents to nothing."""
        try:
            return self.repository.trailers(commit, CONSENT_TRAILER, base)
        except ReconcilerError:
            return ()

    def _follows(self, base: str, lineage: str | None, commit: str) -> bool:
        """Whether the commit goes on from the active one, or from where its source stood before something local came."""
        to_active = relation(self.repository, commit, base)
        to_lineage = relation(self.repository, commit, lineage)
        return isinstance(follows(to_active, to_lineage, may_rewrite=False), Course)

    def _check_signatures(self, policy: SignaturePolicy, commit: str, base: str | None, lineage: str | None) -> None:
        """**Raises** InputError for what is not signed as it must be, GitError when that can't be told."""
        if policy.demand == "none" or self._vouched.get(commit) == fingerprint(policy):
            return
        known = [one for one in dict.fromkeys((base, lineage)) if one is not None and self.repository.has(one)]
        verify_commits(policy, self.repository.path, commit, known)

    def compile(self, commit: str, files: Mapping[str, bytes]) -> Judgement:
        """Judge the files of a commit."""
        loaded = self._workers.load(files, strict=self._strict, agents=self._agents, nodes=self._nodes())
        configuration = loaded.configuration
        if configuration is None:
            errors = sum(finding.severity is Severity.ERROR for finding in loaded.findings)
            reason = f"it is invalid: {errors} error{'s' if errors != 1 else ''}"
            return Judgement(commit, None, reason=reason, findings=loaded.findings)
        missing = tuple(self._missing_secrets(configuration))
        if any(finding.severity is Severity.ERROR for finding in missing):
            reason = "what runs here would be stopped for secrets that this node can't tell"
            return Judgement(commit, None, reason=reason, findings=missing, transient=True)
        # Places are for the findings; whoever explains decisions reads the commit's files again.
        configuration = replace(configuration, places={})
        return Judgement(commit, configuration, digest(configuration), findings=(*loaded.findings, *missing))

    def _missing_secrets(self, configuration: Configuration) -> Iterator[Finding]:
        """A warning for what will not start here; an error where what runs here would be stopped first, or the node is strict."""
        secrets = {name: wanted for name, one in definitions(configuration).items() if (wanted := needs(one))}
        known = {
            name: self._resolve_secret(name) for name in sorted({name for each in secrets.values() for name in each})
        }
        lacking = {owner: [name for name in wanted if known[name] is None] for owner, wanted in secrets.items()}
        ended = self._ended_by(configuration) if any(lacking.values()) else frozenset()
        for owner, name in sorted((owner, name) for owner, names in lacking.items() for name in names):
            refuses = self._strict or owner in ended
            yield Finding(
                "unknown-secret",
                _place(configuration, owner),
                f"{owner} needs the secret '{name}', which this node can't tell",
                _GIVE_SECRET,
                Severity.ERROR if refuses else Severity.WARNING,
            )

    def _ended_by(self, configuration: Configuration) -> frozenset[str]:
        """What runs here and would be stopped by this configuration, if only to start again."""
        cib, here = self._standing()
        before, after = definitions(cib.configuration), definitions(configuration)
        return frozenset(name for name in here if name in before and before[name] != after.get(name))


def _stray(commit: str, base: str) -> Judgement:
    finding = stray_finding(commit, base)
    return Judgement(commit, None, reason=finding.text, findings=(finding,))


def _place(configuration: Configuration, owner: str) -> Place:
    for address in sorted(configuration.places):
        if len(address) == 2 and address[1] == owner:
            return configuration.places[address]
    return Place("")

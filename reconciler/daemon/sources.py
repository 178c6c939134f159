"""The sources of this node: made as the node's configuration says, heard by the node, and told what became of what they found."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from reconciler.controller.admission import Tip
from reconciler.controller.events import TipSeen
from reconciler.controller.shared import lineage
from reconciler.daemon.compile import SourcePolicy
from reconciler.daemon.config import DirectorySourceConfig, GitSourceConfig, NodeConfig
from reconciler.daemon.shell import Shell, moment
from reconciler.daemon.status import source_to_plain
from reconciler.errors import Finding
from reconciler.ownership import Trusted
from reconciler.sources.directory import DirectorySettings, DirectorySource
from reconciler.sources.git import GitSettings, GitSource
from reconciler.sources.git_request import Credentials
from reconciler.sources.repository import Repository
from reconciler.sources.signatures import SignaturePolicy
from reconciler.sources.source import InForce, Source


class Sources:
    """All sources, in `by_name`. `expect` is called when a commit will probably come soon."""

    def __init__(self, config: NodeConfig, shell: Shell, repository: Repository, expect: Callable[[], None]) -> None:
        self._config = config
        self._shell = shell
        self._repository = repository
        self._expect = expect
        self.by_name: dict[str, Source] = {}
        for one in config.sources:
            self.by_name[one.name] = (
                self._directory(one) if isinstance(one, DirectorySourceConfig) else self._remote(one)
            )

    def fetch_all(self) -> None:
        """Have all look again at once."""
        for _, source in sorted(self.by_name.items()):
            source.fetch_now()

    def look(self, name: str) -> None:
        """Have a source say anew how its newest commit stands; one that this node has not says nothing."""
        if (known := self.by_name.get(name)) is not None:
            known.look()

    def answer(self, name: str, commit: str, findings: tuple[Finding, ...]) -> None:
        """Tell a source what became of a commit of its; one that this node has not need not know."""
        if (known := self.by_name.get(name)) is not None:
            known.answered(commit, findings)

    def _directory(self, config: DirectorySourceConfig) -> Source:
        settings = DirectorySettings(
            name=config.name,
            directory=config.directory,
            debounce_ms=config.debounce_ms,
            rescan_s=config.rescan_s,
            path=self._config.path,
            # Who may change what runs by the API may do so by the directory, too.
            trusted=Trusted(self._config.writers.users, self._config.writers.groups),
        )
        standing = self._standing(config.name)
        return DirectorySource(
            settings, self._repository, standing, self._was_active, self._on_tip, self._emit, self._expect
        )

    def _remote(self, config: GitSourceConfig) -> Source:
        settings, standing = git_settings(config, self._config), self._standing(config.name)
        vouch = self._shell.parts.judge.vouch
        return GitSource(settings, self._repository, standing, self._on_tip, self._emit, vouch, self._expect)

    def _standing(self, name: str) -> Callable[[], InForce]:
        def standing() -> InForce:
            replica = self._shell.node.replica
            return InForce(replica.commit, lineage(replica.shared, name))

        return standing

    def _was_active(self, commit: str) -> bool:
        return any(one.commit == commit for one in self._shell.node.replica.activations)

    def _on_tip(self, tip: Tip) -> None:
        self._shell.tell(TipSeen(moment(), tip))

    def _emit(self, name: str) -> None:
        source = self.by_name.get(name)
        if source is not None:
            plain = source_to_plain(source.status())
            fields = {key: plain[key] for key in ("state", "commit", "error", "findings")}
            self._shell.emit("source", {"source": name, **fields})


def git_settings(config: GitSourceConfig, node: NodeConfig) -> GitSettings:
    """What a git source of a node needs to know."""
    return GitSettings(
        name=config.name,
        url=config.url,
        reference=config.branch,
        path=node.path,
        poll_s=config.poll_s,
        # The same in every process of this node, another one on each node: not all of them ask at once.
        seed=zlib.crc32(f"{node.node}/{config.name}".encode()),
        timeout_s=config.timeout_s,
        signatures=config.signatures,
        rewrite=config.rewrite,
        fresh_s=config.fresh_s,
        local_urls=config.local,
        credentials=Credentials(
            ssh_key_file=config.key_file,
            known_hosts_file=config.known_hosts,
            token_file=config.token_file,
            token_user=config.token_user,
            ca_file=config.ca_file,
        ),
    )


def policy_of(config: NodeConfig, source: str) -> SourcePolicy:
    """What a node demands of a source's commits; of one that it has not, what it demands of proposals."""
    for one in config.sources:
        if one.name == source:
            if isinstance(one, GitSourceConfig):
                return SourcePolicy(one.signatures, one.rewrite)
            # Its commits follow the active one, but where the repository has lost that. Who signs its own has others sign theirs, too:
            # a directory of that name may be on another member.
            signs = config.proposals.signing_key is not None
            return SourcePolicy(config.proposals.signatures if signs else SignaturePolicy(), rewrite=True)
    return SourcePolicy(config.proposals.signatures, config.proposals.rewrite)

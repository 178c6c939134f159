"""The node's own configuration file: who this node is, where its state lies, which sources it follows, whom it lets in.

It is read with the language's strict reader, so every fault has a place. What the cluster runs is not in it: that comes from the sources.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.agents.installed import Roots
from reconciler.analysis.guards import HELD_PUSHES, pattern_fault
from reconciler.controller.admission import LOCAL_SOURCES
from reconciler.controller.guarding import GuardPolicy
from reconciler.controller.members import NODE_NAME
from reconciler.errors import Finding, InputError, Place
from reconciler.frozen import field, frozen
from reconciler.model.duration import simple_ms
from reconciler.ownership import distrust
from reconciler.sources.git_fetch import url_fault
from reconciler.sources.signatures import SignaturePolicy

if TYPE_CHECKING:
    from reconciler.language.text.document import Value

T = TypeVar("T")

DEFAULT_STATE = "/var/lib/reconciler"
DEFAULT_RUN = "/run/reconciler"
_SOURCE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST_FILE = 1024 * 1024


@frozen
class GitSourceConfig:
    """A branch of a git repository. Durations are seconds; files are paths on this node.

    `signatures` says which commits must be signed, and by whom; `rewrite` whether the branch may leave the line of what was active.
    `fresh_s` is how often a commit is expected, if that is known. `local` permits a repository on this machine.
    """

    name: str
    url: str
    branch: str = "main"
    poll_s: float = 30.0
    timeout_s: float = 60.0
    key_file: str | None = None
    known_hosts: str | None = None
    token_file: str | None = None
    token_user: str = "reconciler"
    ca_file: str | None = None
    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    rewrite: bool = False
    fresh_s: float | None = None
    local: bool = False


@frozen
class ProposalsConfig:
    """What is demanded of commits that come from no source of this node: applied by hand, rolled back, proposed by other members.

    `signing_key` is the file of the SSH key with which this node signs those that are made on it.
    """

    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    rewrite: bool = True
    signing_key: str | None = None


@frozen
class DirectorySourceConfig:
    """A directory of files on this node."""

    name: str
    directory: str
    debounce_ms: int = 200
    rescan_s: float = 30.0


@frozen
class LabConfig:
    """The lab that a node is part of: the supervisor's socket, and the file that names this start of the pretended machine."""

    socket: str
    boot: str


@frozen
class CorosyncConfig:
    """That the node is one of several, which corosync connects. `node` is what the file calls it, None where corosync's name counts."""

    node: str | None = None


@frozen
class SelfFencingConfig:
    """How this node may end its own machine: `watchdog` is the path of a device, which resets it after `timeout_s` without this node.

    For `handover_s` it waits for the next daemon, where one ends and leaves something running. `sysrq` is what the kernel is asked to do
    at once (`reboot` or `off`), by writing to `trigger`.
    """

    watchdog: str | None = None
    timeout_s: int = 15
    handover_s: int = 120
    sysrq: str | None = None
    trigger: str = "/proc/sysrq-trigger"


SourceConfig = GitSourceConfig | DirectorySourceConfig


@frozen
class Access:
    """Users and groups, by number, beside root and the daemon's own user."""

    users: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()


@frozen
class SecretsConfig:
    """Where a secret is looked for, in this order: a directory of files, the service's credentials, a command each."""

    directory: str | None = None
    credentials: bool = True
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@frozen
class NodeConfig:
    """Everything the daemon has to know about its node. `path` is where the configuration lies inside a commit."""

    node: str
    path: str = "cluster.d"
    state: str = DEFAULT_STATE
    run: str = DEFAULT_RUN
    socket: str = f"{DEFAULT_RUN}/reconciler.sock"
    lab: LabConfig | None = None
    corosync: CorosyncConfig | None = None
    sources: tuple[SourceConfig, ...] = ()
    proposals: ProposalsConfig = field(default_factory=ProposalsConfig)
    roots: Roots = field(default_factory=Roots)
    agent_limit: int | None = None
    agent_state: str | None = None
    cgroups: bool = True
    bus: str | None = None
    strict: bool = False
    check_agents: bool = True
    guards: GuardPolicy = field(default_factory=GuardPolicy)
    secrets: SecretsConfig = field(default_factory=SecretsConfig)
    readers: Access = field(default_factory=Access)
    writers: Access = field(default_factory=Access)
    self_fencing: SelfFencingConfig = field(default_factory=SelfFencingConfig)
    log_format: str = "text"
    log_level: str = "info"


def read_config(path: str, *, twice: bool = False) -> NodeConfig:
    """The configuration in a file. Raises InputError with every fault and its place; OSError when it can't be read.

    A file that somebody else could change is one fault: it says which programs root starts. With `twice` what is read without a fault
    is held against the published schema, too, by the jsonschema library: that is for whoever only checks the file, since the library
    stays in memory.
    """
    with open(path, "rb") as file:
        data = file.read(_LARGEST_FILE + 1)
    if (why := distrust(path)) is not None:
        hint = "let it, and the directories that it is in, belong to root and be writable by nobody else"
        raise InputError((Finding("unsafe-owner", Place(path), why, hint),))
    return parse_config(path, data, twice=twice)


def parse_config(path: str, data: bytes, *, twice: bool = False) -> NodeConfig:
    """The configuration that the bytes of a file stand for. Raises InputError with every fault."""
    from reconciler.language.text.document import read_documents
    from reconciler.language.text.findings import Findings

    findings = Findings()
    documents = read_documents(path, data[: _LARGEST_FILE + 1], findings)
    reader = _ConfigReader(path, os.path.dirname(os.path.abspath(path)))
    for finding in findings.sorted():
        reader.findings.append(finding)
    if len(documents) > 1:
        reader.fault(documents[1], "one-document", "there is a second document; a node has one configuration")
    config = _node_config(_Section(reader, documents[0] if documents else None, "the configuration"))
    if twice and documents and not reader.findings:
        reader.findings += _second_opinion(path, documents[0])
    if reader.findings:
        raise InputError(tuple(sorted(reader.findings, key=lambda finding: finding.place)))
    return config


def _second_opinion(path: str, document: Value) -> tuple[Finding, ...]:
    from reconciler.daemon.config_schema import schema
    from reconciler.language.schema.second import fits_schema, hold_against, plain
    from reconciler.language.text.findings import Findings

    findings = Findings()
    hold_against(path, document, True, fits_schema(plain(document), schema()), findings)
    return findings.sorted()


def _node_config(top: _Section) -> NodeConfig:
    state = top.path("state", DEFAULT_STATE)
    run = top.path("run", DEFAULT_RUN)
    node = top.text("node", None, NODE_NAME)
    lab, corosync = _fabric(top.section("fabric"), node)
    agents, log, validation, api = (top.section(name) for name in ("agents", "log", "validate", "api"))
    config = NodeConfig(
        node=socket.gethostname() if node is None else node,
        path=top.text("path", "cluster.d").strip("/").removeprefix("./").removeprefix("."),
        state=state,
        run=run,
        socket=top.path("socket", os.path.join(run, "reconciler.sock")),
        lab=lab,
        corosync=corosync,
        sources=_sources(top.section("sources")),
        proposals=_proposals(top.section("proposals")),
        roots=Roots(
            ocf=agents.paths("ocf-roots", Roots().ocf),
            lsb=agents.paths("lsb-roots", Roots().lsb),
            stonith=agents.paths("stonith-roots", Roots().stonith),
        ),
        agent_limit=agents.integer("limit", None, 1, 10_000),
        agent_state=agents.path("state", None),
        cgroups=agents.flag("cgroups", True),
        bus=agents.text("bus", None),
        strict=validation.flag("strict", False),
        check_agents=validation.flag("agents", True),
        guards=_guards(top.section("guards")),
        secrets=_secrets(top.section("secrets")),
        readers=_access(api.section("read")),
        writers=_access(api.section("write")),
        self_fencing=_self_fencing(top.section("self-fencing"), in_lab=lab is not None),
        log_format=log.word("format", ("text", "json"), "text"),
        log_level=log.word("level", ("debug", "info", "warning", "error"), "info"),
    )
    for section in (agents, log, validation, api, top):
        section.done()
    return config


def _fabric(section: _Section, node: str | None) -> tuple[LabConfig | None, CorosyncConfig | None]:
    kind = section.word("kind", ("embedded", "lab", "corosync"), "embedded")
    return _lab(section, kind), CorosyncConfig(node) if kind == "corosync" else None


def _lab(section: _Section, kind: str) -> LabConfig | None:
    socket_path, boot = section.path("socket", None), section.path("boot", None)
    section.done()
    if kind != "lab":
        if socket_path is not None or boot is not None:
            section.fault("`socket` and `boot` belong to `kind: lab`", "bad-value")
        return None
    if socket_path is None or boot is None:
        section.fault("a lab needs `socket` and `boot`")
        return None
    return LabConfig(socket_path, boot)


def _proposals(section: _Section) -> ProposalsConfig:
    found = ProposalsConfig(_signatures(section), _may_rewrite(section, "rewrite"), section.path("signing-key", None))
    section.done()
    return found


def _sources(section: _Section) -> tuple[SourceConfig, ...]:
    found = []
    for name in section.names(_SOURCE_NAME):
        source = section.section(name)
        if name in LOCAL_SOURCES:
            source.fault(
                f"a source can't be called {name!r}: so is called what is done by hand, or by the node", "bad-name"
            )
        found.append(_git_source(name, source) if source.has("git") else _directory_source(name, source))
        source.done()
    return tuple(source for source in found if source is not None)


def _git_source(name: str, source: _Section) -> GitSourceConfig | None:
    url = source.text("git", None)
    if url is None:
        return None
    if (fault := url_fault(url)) is not None:
        source.fault_at("git", "bad-address", fault)
    return GitSourceConfig(
        name=name,
        url=url,
        branch=source.text("branch", "main"),
        poll_s=source.seconds("poll", 30.0),
        timeout_s=source.seconds("timeout", 60.0),
        key_file=source.path("key", None),
        known_hosts=source.path("known-hosts", None),
        token_file=source.path("token", None),
        token_user=source.text("token-user", "reconciler"),
        ca_file=source.path("ca", None),
        signatures=_signatures(source),
        local=source.flag("local", False),
        rewrite=_may_rewrite(source, "forward"),
        fresh_s=source.seconds("fresh", None),
    )


def _may_rewrite(section: _Section, default: str) -> bool:
    return section.word("history", ("forward", "rewrite"), default) == "rewrite"


def _signatures(section: _Section) -> SignaturePolicy:
    """Who says whom signatures must be of, and not which must be there, means all: a signer need not know what an unsigned commit
    below his own holds.
    """
    signers, revoked, keyring = (section.path(key, None) for key in ("allowed-signers", "revoked-signers", "keyring"))
    default = "none" if signers is None and keyring is None else "all"
    demand = section.word("signatures", ("none", "tip", "all"), default)
    if demand != "none" and signers is None and keyring is None:
        section.fault_at("signatures", "missing-key", "signatures need `allowed-signers` (SSH) or `keyring` (OpenPGP)")
    return SignaturePolicy(demand, signers, revoked, keyring)


def _directory_source(name: str, source: _Section) -> DirectorySourceConfig | None:
    directory = source.path("directory", None)
    if directory is None:
        source.fault("a source needs `git: URL` or `directory: PATH`")
        return None
    return DirectorySourceConfig(
        name=name,
        directory=directory,
        debounce_ms=int(source.seconds("debounce", 0.2) * 1000),
        rescan_s=source.seconds("rescan", 30.0),
    )


def _guards(section: _Section) -> GuardPolicy:
    found = GuardPolicy(section.texts("hold", HELD_PUSHES), section.texts("allow", ()))
    for key, patterns in (("hold", found.hold), ("allow", found.allow)):
        for pattern in patterns:
            if (fault := pattern_fault(pattern)) is not None:
                section.fault_at(key, "bad-value", fault)
    section.done()
    return found


def _secrets(section: _Section) -> SecretsConfig:
    commands = section.section("commands")
    found = SecretsConfig(
        directory=section.path("directory", None),
        credentials=section.flag("credentials", True),
        commands={name: commands.texts(name, ()) for name in commands.names(None)},
    )
    commands.done()
    section.done()
    return found


def _self_fencing(section: _Section, *, in_lab: bool) -> SelfFencingConfig:
    sysrq = section.word("sysrq", ("none", "reboot", "off"), "none")
    found = SelfFencingConfig(
        section.path("watchdog", None),
        section.whole_seconds("timeout", 15, 5, 300),
        section.whole_seconds("handover", 120, 30, 3600),
        None if sysrq == "none" else sysrq,
        section.path("sysrq-trigger", SelfFencingConfig().trigger),
    )
    section.done()
    if in_lab and found != SelfFencingConfig():
        section.fault("a node of a lab has no machine of its own that it might end", "bad-value")
    return found


def _access(section: _Section) -> Access:
    found = Access(frozenset(section.numbers("users")), frozenset(section.numbers("groups")))
    section.done()
    return found


class _ConfigReader:
    """Collects what is wrong; `base` is where relative paths start."""

    def __init__(self, file: str, base: str) -> None:
        self.file = file
        self.base = base
        self.findings: list[Finding] = []

    def fault(self, value: Value | None, code: str, text: str, hint: str = "") -> None:
        place = Place(self.file) if value is None else Place(self.file, value.line, value.column)
        self.findings.append(Finding(code, place, text, hint))


class _Section:
    """One map of the file; every key that is asked for is known, and `done` refuses the others."""

    def __init__(self, reader: _ConfigReader, value: Value | None, what: str) -> None:
        self.reader = reader
        self.what = what
        self.value = value
        self.known: list[str] = []
        if value is not None and value.kind != "map":
            if value.kind != "null":
                reader.fault(value, "wrong-type", f"{what} must be a map")
            self.value = None

    def has(self, key: str) -> bool:
        return self.value is not None and key in self.value.values

    def fault(self, text: str, code: str = "missing-key") -> None:
        self.reader.fault(self.value, code, text)

    def fault_at(self, key: str, code: str, text: str) -> None:
        self._fault(key, code, text)

    def section(self, key: str) -> _Section:
        return _Section(self.reader, self._take(key), key)

    def names(self, pattern: re.Pattern[str] | None) -> list[str]:
        """The keys of a map whose keys are names."""
        keys = list(self.value.values) if self.value is not None else []
        for key in keys:
            if pattern is not None and not pattern.fullmatch(key):
                self._fault(key, "bad-name", f"{key!r} is no name for an entry of {self.what}")
        self.known += keys
        return keys

    def text(self, key: str, default: T, pattern: re.Pattern[str] | None = None) -> T | str:
        value = self._take(key)
        if value is None:
            return default
        if value.kind in ("map", "list", "null"):
            self._fault(key, "wrong-type", f"{key} must be text")
            return default
        if pattern is not None and not pattern.fullmatch(value.text):
            self._fault(key, "bad-name", f"{value.text!r} can't be a {key}'s name")
        return value.text

    def path(self, key: str, default: T) -> T | str:
        text = self.text(key, None)
        return default if text is None else os.path.join(self.reader.base, text)

    def word(self, key: str, words: tuple[str, ...], default: str) -> str:
        text = self.text(key, default)
        if text not in words:
            self._fault(key, "bad-value", f"{key}: expected {' or '.join(words)}, found {text!r}")
        return text

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key)
        if value is None:
            return default
        if value.kind != "boolean":
            self._fault(key, "wrong-type", f"{key} must be true or false")
        return value.text == "true"

    def integer(self, key: str, default: T, least: int, most: int) -> T | int:
        value = self._take(key)
        if value is None:
            return default
        if value.kind != "integer" or not least <= int(value.text) <= most:
            self._fault(key, "bad-value", f"{key} must be a whole number from {least} to {most}")
            return default
        return int(value.text)

    def seconds(self, key: str, default: T) -> T | float:
        text = self.text(key, None)
        if text is None:
            return default
        milliseconds = simple_ms(text)
        if milliseconds is None or milliseconds <= 0:
            self._fault(key, "bad-value", f"{key} must be a duration such as 30s or 200ms")
            return default
        return milliseconds / 1000

    def whole_seconds(self, key: str, default: int, least: int, most: int) -> int:
        seconds = self.seconds(key, float(default))
        if not (least <= seconds <= most and seconds == int(seconds)):
            self._fault(key, "bad-value", f"{key} must be a whole number of seconds from {least}s to {most}s")
            return default
        return int(seconds)

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return self._list(key, default, ("text", "integer", "number", "boolean"), lambda item: item.text)

    def paths(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return self._list(key, default, ("text",), lambda item: os.path.join(self.reader.base, item.text))

    def numbers(self, key: str) -> tuple[int, ...]:
        return self._list(key, (), ("integer",), lambda item: int(item.text))

    def done(self) -> None:
        """Refuse the keys that nobody asked for."""
        if self.value is None:
            return
        from reconciler.language.text.nearest import did_you_mean

        for key in self.value.values:
            if key not in self.known:
                line, column = self.value.key_places[key]
                text = f"unknown key {key!r} in {self.what}"
                place = Place(self.reader.file, line, column)
                self.reader.findings.append(Finding("unknown-key", place, text, did_you_mean(key, self.known)))

    def _list(
        self, key: str, default: tuple[T, ...], kinds: tuple[str, ...], convert: Callable[[Any], T]
    ) -> tuple[T, ...]:
        value = self._take(key)
        if value is None:
            return default
        if value.kind != "list" or any(item.kind not in kinds for item in value.items):
            self._fault(key, "wrong-type", f"{key} must be a list of {'numbers' if kinds == ('integer',) else 'texts'}")
            return default
        return tuple(convert(item) for item in value.items)

    def _take(self, key: str) -> Value | None:
        self.known.append(key)
        return self.value.values.get(key) if self.value is not None else None

    def _fault(self, key: str, code: str, text: str) -> None:
        value = self.value.values.get(key) if self.value is not None else None
        self.reader.fault(value, code, text)

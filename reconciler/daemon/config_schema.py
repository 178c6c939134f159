"""The JSON Schema of node.yaml, for editors and the reference: the form that `config` reads.

`config` itself judges a file when the daemon starts, with places and hints; a test holds the two to the same keys.
"""

from __future__ import annotations

from reconciler.analysis.guards import HELD_PUSHES
from reconciler.language.schema.parts import Schema, boolean, list_of, map_of, object_of, text, words
from reconciler.language.schema.sections import DRAFT, schema_id


def _duration(description: str, default: str) -> Schema:
    schema: Schema = {
        "type": ["string", "integer"],
        "description": f"{description} A number of seconds, or such as 30s or 200ms.",
    }
    return schema | {"default": default} if default else schema


def _signatures() -> Schema:
    return {
        "allowed-signers": text("Whose SSH signatures count: an allowed-signers file as of ssh-keygen."),
        "revoked-signers": text("SSH keys that count no more: a revocation list or public keys, as of ssh-keygen."),
        "keyring": text("Whose OpenPGP signatures count: a file of public keys."),
        "signatures": words(
            ["none", "tip", "all"],
            "Which commits must be signed: none, the newest, or every one since the last that was in force. "
            "By default `all` with `allowed-signers` or `keyring`, else `none`.",
        ),
    }


def _git_source() -> Schema:
    return object_of(
        {
            "git": text(
                "The address: https://…, ssh://… or user@host:path; with `local: true` also a path or file://…."
            ),
            "branch": text("The branch, or a full reference.") | {"default": "main"},
            "poll": _duration("How often to look, give or take a fifth.", "30s"),
            "timeout": _duration("How long one fetch may take.", "60s"),
            "key": text("The private key for ssh; by default those of the daemon's user."),
            "known-hosts": text("The keys of hosts that ssh may talk to; by default those of the daemon's user."),
            "token": text("A file with a token or password for https."),
            "token-user": text("The user name that goes with the token.") | {"default": "reconciler"},
            "ca": text("The certificates that https trusts, instead of the system's."),
            **_signatures(),
            "history": words(
                ["forward", "rewrite"], "Whether the branch may only go forward (the default), or may be reset."
            ),
            "fresh": _duration("How often a commit is expected; when the newest is older than that, it is told.", ""),
            "local": boolean("Whether a repository on this machine is allowed.", False),
        },
        "A branch of a git repository.",
        ("git",),
    )


def _directory_source() -> Schema:
    return object_of(
        {
            "directory": text("The directory that is watched."),
            "debounce": _duration("How long it must have been at rest.", "200ms"),
            "rescan": _duration("How often it is looked at without a hint of a change.", "30s"),
        },
        "A directory of files on this machine.",
        ("directory",),
    )


def _access(description: str) -> Schema:
    numbers: Schema = {"type": "array", "items": {"type": "integer"}}
    return object_of(
        {
            "users": numbers | {"description": "Users by number."},
            "groups": numbers | {"description": "Groups by number."},
        },
        description,
    )


def _agents() -> Schema:
    roots = list_of(text("A directory."), "")
    return object_of(
        {
            "ocf-roots": roots | {"description": "Where OCF agents are; the first that has one counts."},
            "lsb-roots": roots | {"description": "Where init scripts are."},
            "stonith-roots": roots | {"description": "Where fence agents are."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10_000,
                "description": "How many agents may run at a time; by default twice the processors, at least 16.",
            },
            "state": text(
                "Where agents keep their state (HA_RSCTMP); by default /run/resource-agents, where it may be written."
            ),
            "cgroups": boolean("Whether each call gets a control group of its own where one is delegated.", True),
            "bus": text("The address of the D-Bus that systemd is on; by default the system's."),
        },
        "How resource agents are run.",
    )


def schema() -> Schema:
    """The schema of a node.yaml."""
    top = object_of(
        {
            "node": text(
                "The node's name; by default the host's. With corosync it is the one in corosync's nodelist, and may be left out."
            ),
            "path": text("Where the configuration lies inside a repository.") | {"default": "cluster.d"},
            "state": text("The journal and the node's own repository.") | {"default": "/var/lib/reconciler"},
            "run": text("What need not outlive a reboot.") | {"default": "/run/reconciler"},
            "socket": text("The socket of the API; by default reconciler.sock below `run`."),
            "fabric": object_of(
                {
                    "kind": words(
                        ["embedded", "lab", "corosync"],
                        "One node by itself, one of several in a lab on this machine, or one of several machines: "
                        "the corosync of each connects them.",
                    ),
                    "socket": text("Of a lab: the socket of its supervisor."),
                    "boot": text("Of a lab: the file that names this start of the node's pretended machine."),
                },
                "How nodes find each other.",
            ),
            "sources": map_of(
                {"anyOf": [_git_source(), _directory_source()]}, "Where commits come from, each source under a name."
            ),
            "proposals": object_of(
                {
                    **_signatures(),
                    "signing-key": text(
                        "With which SSH key (ed25519, without a passphrase) this node signs the commits that are made on it."
                    ),
                    "history": words(
                        ["rewrite", "forward"],
                        "Whether such a commit may leave the line of what was active, where it is asked for (the default).",
                    ),
                },
                "What is demanded of commits that come from no source of this node: applied by hand, rolled back, of other members.",
            ),
            "agents": _agents(),
            "validate": object_of(
                {
                    "strict": boolean("Whether warnings refuse a commit.", False),
                    "agents": boolean("Whether parameters are checked against the agents installed here.", True),
                },
                "How commits are judged.",
            ),
            "guards": object_of(
                {
                    "hold": list_of(
                        text("A pattern over `KIND:NAME`, or a kind."),
                        f"Which guards hold a commit back until somebody consents. By default: {', '.join(HELD_PUSHES)}.",
                    ),
                    "allow": list_of(
                        text("A pattern over `KIND:NAME`, or a kind."), "What is consented to once and for all."
                    ),
                },
                "What this node demands, as the DC, before a commit becomes active that would do harm.",
            ),
            "secrets": object_of(
                {
                    "directory": text("A directory with a file for each secret."),
                    "credentials": boolean("Whether credentials of the systemd service are looked at.", True),
                    "commands": map_of(
                        list_of(text("A word."), "The command line, a word each; the first is the program's path."),
                        "For each secret's name a command that prints it.",
                    ),
                },
                "Where secrets are found, in this order: directory, credentials, commands.",
            ),
            "api": object_of(
                {
                    "read": _access("Who may look, beside root and the daemon's own user."),
                    "write": _access("Who may change something; they may look, too."),
                },
                "Who may use the socket.",
            ),
            "self-fencing": object_of(
                {
                    "watchdog": text(
                        "The watchdog device of this machine, such as /dev/watchdog. It is armed once this node is a member with quorum, "
                        "and fed while it is one, or runs nothing; otherwise it resets the machine. Without this none is used."
                    ),
                    "timeout": _duration(
                        "After how long without being fed the device resets the machine: 5s to 300s, in whole seconds.",
                        "15s",
                    ),
                    "handover": _duration(
                        "How long the device waits for the next daemon, when one ends and leaves something running: 30s to 3600s.",
                        "120s",
                    ),
                    "sysrq": words(
                        ["none", "reboot", "off"],
                        "What the kernel is asked to do at once, when this node is to end its own machine (`no-quorum-policy: fence`, "
                        "`fencing-reaction: panic`). By default nothing.",
                    ),
                    "sysrq-trigger": text("Where that is written.") | {"default": "/proc/sysrq-trigger"},
                },
                "How this node may end its own machine. Not in a lab.",
            ),
            "log": object_of(
                {
                    "format": words(["text", "json"], "Lines for people, or for programs."),
                    "level": words(["debug", "info", "warning", "error"], "From which level on."),
                },
                "What is written to standard error.",
            ),
        },
        "A node's own configuration, read by `reconciler run --config FILE`.",
    )
    return {"$schema": DRAFT, "$id": schema_id("node"), "title": "Node configuration"} | top

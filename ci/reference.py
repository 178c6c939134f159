"""Pages of docs/reference and the parts of manual pages that are made from schemas, tables and parsers; `ci/generate` writes them."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from reconciler.cli.commands import COMMANDS, module_of
from reconciler.cli.main import command_parser
from reconciler.daemon import config_schema
from reconciler.language.reading.ignores import ACCEPTABLE
from reconciler.language.schema import expectations
from reconciler.language.schema.parts import definitions
from reconciler.language.schema.sections import SECTIONS, section
from reconciler.model import settings
from reconciler.model.settings import Setting

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
SAYINGS = tomllib.loads((REFERENCE / "commands.toml").read_text())
"""What the parsers don't say: exit codes, examples and files of each command."""

_GENERATED = "<!-- Made by ci/generate: change its sources, not this page. -->"
Schema = Mapping[str, Any]


def pages() -> dict[Path, str]:
    """Every generated page with its content."""
    return {
        REFERENCE / "commands.md": "\n".join(_commands()) + "\n",
        REFERENCE / "errors.md": "\n".join(_errors()) + "\n",
        REFERENCE / "exit-codes.md": "\n".join(_exit_codes()) + "\n",
        REFERENCE / "findings.md": "\n".join(_findings()) + "\n",
        REFERENCE / "keys.md": "\n".join(_keys()) + "\n",
        REFERENCE / "node-yaml.md": _filled("node-yaml.md", config_schema.schema()),
        REFERENCE / "properties.md": _filled("properties.md", expectations.schema()),
        REFERENCE / "settings.md": "\n".join(_settings()) + "\n",
    }


# Commands


def exits(name: str) -> list[dict[str, Any]]:
    """The exit codes of a command, its own first."""
    found: list[dict[str, Any]] = SAYINGS[name]["exits"]
    own = {entry["code"] for entry in found}
    return found + [entry for entry in SAYINGS["common"]["exits"] if entry["code"] not in own]


def manual_tail(name: str) -> Iterator[str]:
    """The sections of a manual page that no parser knows, in troff."""
    sayings = SAYINGS[name]
    yield '.SH "EXIT STATUS"'
    for entry in exits(name):
        yield f".TP\n{entry['code']}\n{_troff(entry['means'])}"
    if sayings["examples"]:
        yield ".SH EXAMPLES"
        for example in sayings["examples"]:
            yield f".TP\n.B {_troff(example['run'])}\n{_troff(example['says'])}"
    if sayings.get("files"):
        yield ".SH FILES"
        for entry in sayings["files"]:
            yield f".TP\n.I {_troff(entry['path'])}\n{_troff(entry['holds'])}"
    yield '.SH "SEE ALSO"\n.BR reconciler (8)'


def overview_tail() -> Iterator[str]:
    """The same of the page about the program as a whole."""
    yield '.SH "EXIT STATUS"'
    for entry in SAYINGS["common"]["exits"]:
        yield f".TP\n{entry['code']}\n{_troff(entry['means'])}, on every command"
    yield ".SH FILES"
    yield ".TP\n.I /etc/reconciler/node.yaml\nthe node's configuration, by convention: its path is an option of reconciler run"
    for entry in SAYINGS["run"]["files"]:
        yield f".TP\n.I {_troff(entry['path'])}\n{_troff(entry['holds'])}"
    names = [f".BR reconciler-{name} (8)" for name, command in COMMANDS.items() if not command.hidden]
    yield '.SH "SEE ALSO"\n' + ",\n".join(names)


def _troff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield _GENERATED
    yield ""
    yield "What all commands have in common is in [the conventions](../command-line.md); exit codes are in [one table](exit-codes.md)."
    for name, command in COMMANDS.items():
        if command.hidden:
            continue
        parser = command_parser(name, importlib.import_module(module_of(name)))
        yield from ("", f"## {name}", "")
        yield from _paragraphs(parser.description or "")
        yield from _options(parser, name)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word, sub in action.choices.items():
                    yield from ("", f"### {name} {word}", "")
                    yield from _options(sub, f"{name} {word}")
        examples = SAYINGS[name]["examples"]
        if examples:
            yield from ("", "```sh")
            width = max(len(example["run"]) for example in examples)
            yield from (f"{example['run']:{width}}  # {example['says']}" for example in examples)
            yield "```"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines()]
        if paragraph.startswith("Exit codes"):
            continue  # They have a table.
        if all(line.startswith("reconciler ") for line in lines):
            yield from ("```sh", *lines, "```", "")
        elif all(line.startswith(" ") for line in paragraph.splitlines()):
            yield from ("```text", *textwrap.dedent(paragraph).splitlines(), "```", "")
        else:
            yield from (textwrap.fill(" ".join(lines), 130), "")


def _options(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    rows = [_row(action) for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]
    rows = [row for row in rows if row is not None]
    yield f"`{_usage(parser, name)}`"
    if rows:
        yield from ("", "| option | what for |", "| --- | --- |")
        yield from (f"| {option} | {_cell(text)} |" for option, text in rows if option)


def _usage(parser: argparse.ArgumentParser, name: str) -> str:
    positional = [action for action in parser._actions if not action.option_strings]
    words = " ".join(_shown(action) for action in positional)
    return f"reconciler {name} [OPTION …]{' ' if words else ''}{words}"


def _shown(action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return "ACTION …"
    word = str(action.metavar or action.dest)
    match action.nargs:
        case "?":
            return f"[{word}]"
        case "*":
            return f"[{word} …]"
        case "+":
            return f"{word} …"
        case _:
            return word


def _row(action: argparse.Action) -> tuple[str, str] | None:
    if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
        return None
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`", action.help or ""
    takes = ""
    if action.nargs != 0:
        takes = (
            f" {{{','.join(map(str, action.choices))}}}"
            if action.choices
            else f" {action.metavar or action.dest.upper()}"
        )
    return ", ".join(f"`{option}{takes}`" for option in action.option_strings), action.help or ""


def _exit_codes() -> Iterator[str]:
    yield "# Exit codes"
    yield from ("", _GENERATED, "")
    yield (
        "On every command: "
        + ", ".join(f"{entry['code']} {entry['means']}" for entry in SAYINGS["common"]["exits"])
        + ". What a command answers of its own:"
    )
    yield from ("", "| command | code | means |", "| --- | --- | --- |")
    for name, command in COMMANDS.items():
        if not command.hidden:
            yield from (f"| {name} | {entry['code']} | {_cell(entry['means'])} |" for entry in SAYINGS[name]["exits"])


# Tables inside pages that people write

_TABLE = re.compile(r"(<!-- table: made by ci/generate -->\n).*?(<!-- end of table -->)", re.DOTALL)


def _filled(name: str, schema: Schema) -> str:
    """A page with its table of keys as the schema has them."""
    rows = [f"| `{key}` | {takes} | {_cell(text)} |" for key, takes, text in _rows(schema, "")]
    table = "\n".join(["| key | takes | |", "| --- | --- | --- |", *rows, ""])
    return _TABLE.sub(lambda match: match[1] + table + match[2], (REFERENCE / name).read_text())


# The language


def _keys() -> Iterator[str]:
    yield "# The language, key by key"
    yield from ("", _GENERATED, "")
    yield textwrap.fill(
        "Made from the JSON Schemas in `schemas/`. [language.md](../language.md) says what the keys have in common, "
        "[settings.md](settings.md) lists Pacemaker's settings (options, meta-attributes, operations), [rules.md](rules.md) is the grammar "
        "of rules. `name` stands for a name of your own, `[]` for the items of a list.",
        130,
    )
    for name in SECTIONS:
        yield from ("", f"## {name}", "", str(section(name).get("description", "")), "")
        yield from ("| key | takes | |", "| --- | --- | --- |")
        yield from (f"| `{key}` | {takes} | {_cell(text)} |" for key, takes, text in _rows(section(name), ""))
    yield from ("", "## Parts that several sections use", "", "| part | takes | |", "| --- | --- | --- |")
    parts: dict[str, Schema] = {name: one for name, one in definitions().items() if not name.endswith("-values")}
    for name, schema in sorted(parts.items()):
        yield f"| **{name}** | {_takes(schema)} | {_cell(str(schema.get('description', '')))} |"
        yield from (f"| `{key}` | {takes} | {_cell(text)} |" for key, takes, text in _below(schema, ""))
    yield "| **blocks** | list of map | Blocks of names and values, from which rules choose. |"
    blocks = definitions()["meta"]["anyOf"][1]["items"]
    yield from (f"| `{key}` | {_cell(takes)} | {_cell(text)} |" for key, takes, text in _rows(blocks, "[]"))


def _rows(schema: Schema, path: str) -> Iterator[tuple[str, str, str]]:
    """Each key below a schema: its path, what it takes, what it is for. Parts by name are told apart, where they are described once."""
    for key, value in schema.get("properties", {}).items():
        if value.get("deprecated"):
            continue
        below = f"{path}.{key}" if path else key
        text = str(value.get("description", ""))
        if "default" in value and "Default" not in text:
            text += f" Default: {json.dumps(value['default']).strip(chr(34))}."
        needed = " (needed)" if key in schema.get("required", ()) else ""
        yield below, _takes(value), text + needed
        yield from _below(value, below)
    more = schema.get("additionalProperties")
    if isinstance(more, dict) and "$ref" not in more:
        below = f"{path}.name" if path else "name"
        yield below, _takes(more), str(more.get("description", ""))
        yield from _below(more, below)
    for choice in schema.get("anyOf", ()):
        if "$ref" not in choice:
            yield from _below(choice, path)


def _is_blocks(schema: Schema) -> bool:
    """Whether it takes names and values, or blocks of them that rules choose from: such are told of once."""
    choices = schema.get("anyOf", ())
    return any({"values", "rule"} <= choice.get("items", {}).get("properties", {}).keys() for choice in choices)


def _below(schema: Schema, path: str) -> Iterator[tuple[str, str, str]]:
    if _is_blocks(schema):
        return
    if "items" in schema and "$ref" not in schema["items"]:
        yield from _rows(schema["items"], f"{path}[]")
    elif "properties" in schema or "anyOf" in schema or isinstance(schema.get("additionalProperties"), dict):
        yield from _rows(schema, path)


def _takes(schema: Schema) -> str:
    """What a value may be, in few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _SHORT.get(name, f"**{name}**")
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if _is_blocks(schema):
        return f"{_takes(schema['anyOf'][0])}, or **blocks**"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_takes(choice) for choice in schema["anyOf"]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return "text" if "boolean" in kind or "string" in kind else " or ".join(kind)
    if kind == "array":
        return f"list of {_takes(schema['items'])}"
    if kind == "object":
        more = schema.get("additionalProperties")
        return f"map of names to {_takes(more)}" if isinstance(more, dict) else "map"
    return {"string": "text", "null": "nothing", "boolean": "true or false"}.get(str(kind), str(kind))


_SHORT = {
    "value": "text",
    "parameter": "text or `{secret: NAME}`",
    "ids": "list of names",
    "plain-values": "names and values",
    "param-values": "names and values",
    "fencing-param-values": "names and values ([settings](settings.md#fencing-devices))",
    "meta-values": "names and values ([settings](settings.md#meta-attributes-of-resources))",
    "default-values": "names and values ([settings](settings.md#meta-attributes-of-resources))",
    "operation-values": "names and values ([settings](settings.md#operations))",
    "option-values": "names and values ([settings](settings.md#cluster-options))",
    "alert-values": "names and values ([settings](settings.md#alerts))",
    "node-values": "names and values ([settings](settings.md#attributes-of-nodes))",
}

_TABLES: tuple[tuple[str, str, Mapping[str, Setting]], ...] = (
    ("Cluster options", "`cluster: {options: …}`", settings.CLUSTER_OPTIONS),
    ("Meta-attributes of resources", "`meta:` of any resource, `defaults: {resources: …}`", settings.RESOURCE_META),
    ("Meta-attributes of clones", "`meta:` of a clone, beside those of resources", settings.CLONE_META),
    ("Meta-attributes of groups", "`meta:` of a group, beside those of resources", settings.GROUP_META),
    ("Operations", "an entry of `operations:`, `defaults: {operations: …}`", settings.OPERATION_OPTIONS),
    ("Fencing devices", "`params:` of a device, beside its agent's", settings.FENCING_PARAMETERS),
    ("Attributes of nodes", "`attributes:` of a node that mean something to the cluster", settings.NODE_ATTRIBUTES),
    ("Alerts", "`meta:` of an alert or recipient; no alert is sent yet", settings.ALERT_META),
    ("Containers of bundles", "`container:` of a bundle", settings.BUNDLE_CONTAINER),
    ("Networks of bundles", "`network:` of a bundle", settings.BUNDLE_NETWORK),
)


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield from ("", _GENERATED, "")
    yield textwrap.fill(
        "Pacemaker's settings by the names that the language has for them; what an option does is described in Pacemaker Explained. "
        "Former names are accepted. Where a default differs from Pacemaker's, [language.md](../language.md) says so. What has no effect "
        "here is kept and exported, and `validate` warns of it (`not-acted-upon`) where it is not the default.",
        130,
    )
    for title, where, table in _TABLES:
        yield from ("", f"## {title}", "", f"In {where}.", "")
        yield from ("| name | takes | default | what for | former names |", "| --- | --- | --- | --- | --- |")
        for row in table.values():
            former = ", ".join(f"`{name}`" for name in dict.fromkeys((*row.old, row.stored)) if name)
            takes = ", ".join(f"`{word}`" for word in row.words) if row.words else row.kind
            note = f" **Has no effect here**: {row.inert}." if row.inert else ""
            note += f" Deprecated: {row.deprecated}." if row.deprecated else ""
            default = f"`{row.default}`" if row.default else ""
            yield f"| `{row.name}` | {takes} | {default} | {_cell(row.description + note)} | {former} |"


# Findings

_MAKERS = {
    ("Finding", 0),
    ("_error", 0),
    ("_fault", 0),
    ("_fault", 1),
    ("_refuse", 0),
    ("_refuse_at", 0),
    ("_refused", 0),
    ("error", 0),
    ("fail", 1),
    ("fault", 1),
    ("key_warning", 0),
    ("refuse", 0),
    ("refuse", 1),
    ("warn", 1),
    ("warning", 0),
}
"""By what findings are made, and at which place the code stands."""
_CODE = re.compile(r"[a-z]+(?:-[a-z0-9]+)+|signature|submodule|unreadable|git")
_PLACES = {
    "language": "configuration",
    "sources": "source",
    "interop": "CIB",
    "daemon": "node.yaml, commits",
    "controller": "a proposal",
    "cli": "what a command reads",
    "fabric": "corosync.conf",
}


def _findings() -> Iterator[str]:
    yield "# Findings"
    yield from ("", _GENERATED, "")
    yield textwrap.fill(
        "Every code of a finding: what `validate` prints in brackets, what a rejected commit is told with, what a source says is wrong. "
        "Codes are stable, texts are not; … stands for what was found. A warning refuses nothing, except with `--strict`. "
        "Acceptable is an error that files may accept ([language.md](../language.md#judging)).",
        130,
    )
    yield from ("", "| code | | about | says |", "| --- | --- | --- | --- |")
    found: dict[str, dict[str, set[str]]] = {}
    for package, about in _PLACES.items():
        for path in sorted((ROOT / "reconciler" / package).rglob("*.py")):
            for code, severity, text in _made_in(ast.parse(path.read_text())):
                entry = found.setdefault(code, {"severity": set(), "about": set(), "text": set()})
                entry["severity"].add(severity)
                entry["about"].add(about)
                entry["text"].update({text} - {""})
    for code, entry in sorted(found.items()):
        says = " / ".join(sorted(entry["text"]))
        severity = [
            f"{one} (acceptable)" if one == "error" and code in ACCEPTABLE else one for one in sorted(entry["severity"])
        ]
        yield f"| `{code}` | {', '.join(severity)} | {', '.join(sorted(entry['about']))} | {_cell(says)} |"


# Errors

_ERROR_MAKERS = {("ApiError", 1), ("ClientError", 1), ("__init__", 1)}
"""By what errors are made that have no class of their own, and at which place the code stands."""
_ERROR_CODE = re.compile(r"[a-z][a-z-]*")
_ERRORS_OF_MANY_KINDS = {
    "internal": {"a fault of the program, which is in its log"},
    "invalid": {"what was given has findings, which say what is wrong"},
}


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield from ("", _GENERATED, "")
    yield textwrap.fill(
        "Every code of an error: what a command ends with in brackets, and what the [API](api.md#errors) answers. Codes are stable, texts "
        "are not; … stands for what was found. What is wrong about a file is a [finding](findings.md) and has a code of its own.",
        130,
    )
    yield from ("", "| code | says |", "| --- | --- |")
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "reconciler").rglob("*.py")):
        module = ast.parse(path.read_text())
        coded = ((code, text) for _, code, text in _coded(module, _ERROR_MAKERS, _ERROR_CODE))
        for code, text in [*_raised_by_class(module), *coded]:
            found.setdefault(code, set()).update({text} - {""})
    found |= _ERRORS_OF_MANY_KINDS
    yield from (f"| `{code}` | {_cell(' / '.join(sorted(texts)))} |" for code, texts in sorted(found.items()))


def _raised_by_class(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The classes of errors: code, and what their first sentence says."""
    for one in [node for node in ast.walk(module) if isinstance(node, ast.ClassDef)]:
        for line in one.body:
            value = line.value if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code" else None
            if isinstance(value, ast.Constant):
                told = (ast.get_docstring(one) or "").partition("\n\n")[0]
                yield str(value.value), " ".join(told.split()).rstrip(".")


def _made_in(module: ast.Module) -> Iterator[tuple[str, str, str]]:
    """The findings that a module makes: code, severity, text."""
    for call, code, text in _coded(module, _MAKERS, _CODE):
        for severity in _severities(_called(call), call):
            yield code, severity, text


def _coded(
    module: ast.Module, makers: Set[tuple[str, int]], codes: re.Pattern[str]
) -> Iterator[tuple[ast.Call, str, str]]:
    """The calls that make something with a code: the code, and the text that goes with it, which mostly stands behind."""
    for function in [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        texts = [
            (node.lineno, target.id, _said(node.value))
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
            for place, arg in enumerate(call.args[:2]):
                code = arg.value if isinstance(arg, ast.Constant) else None
                if (_called(call), place) in makers and isinstance(code, str) and codes.fullmatch(code):
                    others = [*call.args[place + 1 :], *call.args[:place]]
                    said = [_said(more) or _before(texts, call.lineno, more) for more in others]
                    yield call, code, next((text for text in said if " " in text), "")


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _severities(name: str, call: ast.Call) -> Iterator[str]:
    """Those with which a finding is made: one, or two where it depends."""
    chosen = [part for arg in call.args for part in ([arg.body, arg.orelse] if isinstance(arg, ast.IfExp) else [arg])]
    said = {ast.unparse(part) for part in chosen}
    warns = "warn" in name or "Severity.WARNING" in said
    if warns:
        yield "warning"
    if not warns or "Severity.ERROR" in said:
        yield "error"


def _before(texts: list[tuple[int, str, str]], line: int, node: ast.expr) -> str:
    """What a name last stood for before a line."""
    earlier = [(at, text) for at, name, text in texts if name == getattr(node, "id", "") and at < line]
    return max(earlier, default=(0, ""))[1]


def _said(node: ast.expr) -> str:
    """A text with … for what is filled in; empty when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        return "".join(map(str, parts))
    if isinstance(node, ast.BinOp):
        return _said(node.left) + _said(node.right)
    return ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

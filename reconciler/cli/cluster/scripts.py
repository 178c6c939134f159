"""The words of the shell for each thing that is done on a host. Each script can be run again: what is done already stays done.

It is read whole before anything of it runs, and begins nothing after a fault. A file is replaced in one step, once it is on the disk; the
one before stays beside it.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterable

from reconciler.cli.cluster.facts import CERTIFICATES, CONF, KEY, NODE_YAML
from reconciler.frozen import frozen

BEFORE = ".before"
_NEW = "/etc/corosync/.corosync.conf.new"
_QUIET = '</dev/null >"$log" 2>&1 || { cat "$log" >&2; exit 1; }'
_END_S = 90
"""How long corosync may take to start, to end, and to count the nodes."""


@frozen
class Services:
    """How programs are started and ended where systemd does not run, or where it is to be done in another way."""

    start_corosync: str | None = None
    stop_corosync: str | None = None
    start_node: str | None = None
    stop_node: str | None = None


def whole(*parts: str) -> str:
    """A script of parts."""
    body = "\n".join(part.strip("\n") for part in parts)
    return (
        "set -eu; umask 077; LC_ALL=C; export LC_ALL; PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH\n"
        "log=$(mktemp); trap 'rm -f \"$log\"' EXIT\n"
        f"main() {{\n{body}\n}}\nmain </dev/null\n"
    )


def digest_of(data: bytes | None) -> str:
    """What the shell says of a file: its digest, `none` where it is not there."""
    return "none" if data is None else hashlib.sha256(data).hexdigest()


def write_key(key: bytes) -> str:
    """Put the key there, for root alone."""
    return f"""
install -d -m 755 /etc/corosync
base64 -d >{KEY}.new <<'END'
{_encoded(key)}
END
chown 0:0 {KEY}.new; chmod 400 {KEY}.new; sync {KEY}.new
if [ -e {KEY} ] && ! cmp -s {KEY} {KEY}.new; then cp -p {KEY} {KEY}{BEFORE}; fi
mv -f {KEY}.new {KEY}
"""


def write_conf(data: bytes, seen: bytes | None, *, free: bool = False) -> str:
    """Replace corosync.conf, if it is still what was seen, by one that corosync takes. With `free` it was not seen, and names no other
    machine, as the file of the package.
    """
    ours = f'[ "$have" = {digest_of(seen)} ]'
    if free:
        ours = f"! grep -E '^[[:space:]]*ring[0-9]_addr' {CONF} 2>/dev/null | grep -qvE ':[[:space:]]*(127\\.|localhost|::1)'"
    return f"""
install -d -m 755 /etc/corosync
have=none; [ ! -e {CONF} ] || have=$(sha256sum <{CONF} | cut -c1-64)
if [ "$have" != {digest_of(data)} ]; then
  {ours} || {{ echo "{CONF} is not what it was taken for: look at it" >&2; exit 1; }}
  base64 -d >{_NEW} <<'END'
{_encoded(data)}
END
  chown 0:0 {_NEW}; chmod 644 {_NEW}; sync {_NEW}
  corosync -c {_NEW} -t >"$log" 2>&1 || {{ grep -i error "$log" >&2 || cat "$log" >&2; rm -f {_NEW}; exit 1; }}
  [ ! -e {CONF} ] || cp -p {CONF} {CONF}{BEFORE}
  mv -f {_NEW} {CONF}; sync /etc/corosync
fi
"""


def write_node_yaml(data: bytes, seen: bytes | None) -> str:
    """Write the node's configuration in the place of one in which nothing is set, if it still is what was seen."""
    return f"""
have=none; [ ! -e {NODE_YAML} ] || have=$(sha256sum <{NODE_YAML} | cut -c1-64)
if [ "$have" = {digest_of(seen)} ]; then
  install -d -m 755 /etc/reconciler
  base64 -d >{NODE_YAML}.new <<'END'
{_encoded(data)}
END
  chown 0:0 {NODE_YAML}.new; chmod 644 {NODE_YAML}.new; sync {NODE_YAML}.new
  [ ! -e {NODE_YAML} ] || cp -p {NODE_YAML} {NODE_YAML}{BEFORE}
  mv -f {NODE_YAML}.new {NODE_YAML}
fi
"""


def reload(needed: int) -> str:
    """Have all corosyncs read their file anew, if those who run have the votes for what comes then."""
    return f"""
votes=$(corosync-quorumtool -s 2>/dev/null | sed -n 's/^Total votes: *\\([0-9]*\\).*/\\1/p') || votes=
[ "${{votes:-0}}" -ge {needed} ] || {{ echo "there are ${{votes:-no}} votes, and {needed} are needed: nothing was reloaded" >&2; exit 1; }}
corosync-cfgtool -R {_QUIET}
"""


def start_corosync(services: Services) -> str:
    """Start corosync, or start it anew where it runs with what its package brings."""
    if services.start_corosync is not None:
        begin = _given(services.start_corosync)
    else:
        begin = f"""
if [ -d /run/systemd/system ]; then
  {{ systemctl enable corosync && systemctl restart corosync; }} {_QUIET}
else
{_ended_corosync()}
  corosync {_QUIET}
fi
"""
    return f"""
{begin}
left={_END_S}
until corosync-cmapctl -g totem.version >/dev/null 2>&1; do
  left=$((left - 1)); [ $left -gt 0 ] || {{ echo "corosync does not answer: see its log" >&2; exit 1; }}
  sleep 1
done
"""


def stop_corosync(services: Services) -> str:
    """End corosync in order, and have it not start at boot."""
    if services.stop_corosync is not None:
        return _given(services.stop_corosync)
    return f"""
if [ -d /run/systemd/system ]; then
  if systemctl --quiet is-enabled corosync-qdevice 2>/dev/null; then systemctl disable --now corosync-qdevice {_QUIET}; fi
  systemctl disable --now corosync {_QUIET}
else
{_ended_corosync()}
fi
"""


def _ended_corosync() -> str:
    return f"""
  if pidof corosync >/dev/null; then corosync-cfgtool -H {_QUIET}; fi
  left={_END_S * 5}
  while pidof corosync >/dev/null; do
    left=$((left - 1)); [ $left -gt 0 ] || {{ echo "corosync does not end" >&2; exit 1; }}
    sleep 0.2
  done
"""


def counts(nodeids: Iterable[int], there: Iterable[int]) -> str:
    """Wait until the corosync of this host runs with these nodes, and has some of them in its partition, which is quorate."""
    listed, present = (" ".join(str(one) for one in sorted(ids)) for ids in (nodeids, there))
    return f"""
left={_END_S * 2}; list=; there=; quorate=
while :; do
  list=$(corosync-cmapctl 2>/dev/null | sed -n 's/^nodelist\\.node\\.[0-9]*\\.nodeid ([a-z0-9]*) = //p' | sort -n | tr '\\n' ' ') || list=
  tool=$(corosync-quorumtool -s 2>/dev/null) || :
  there=$(printf '%s\\n' "$tool" | sed '1,/^Membership/d' | sed -n 's/^ *\\([1-9][0-9]*\\) .*/\\1/p' | sort -n | tr '\\n' ' ')
  quorate=$(printf '%s\\n' "$tool" | sed -n 's/^Quorate: *//p')
  missing=; for id in {present}; do case " $there" in *" $id "*) ;; *) missing="$missing $id" ;; esac; done
  if [ "$list" = '{listed} ' ] && [ -z "$missing" ] && [ "$quorate" = Yes ]; then break; fi
  left=$((left - 1))
  if [ $left -le 0 ]; then
    if [ "$list" != '{listed} ' ]; then echo "corosync runs with the nodes $list and not with {listed}: see its log" >&2
    elif [ -n "$missing" ]; then echo "corosync does not see the nodes$missing: see corosync-cfgtool -n" >&2
    else echo "the partition is not quorate" >&2; fi
    exit 1
  fi
  sleep 0.5
done
"""


def start_device() -> str:
    """Start the quorum device's daemon, and have it start at boot."""
    return f"""
if [ -d /run/systemd/system ]; then
  systemctl enable --now corosync-qdevice {_QUIET}
elif ! pidof corosync-qdevice >/dev/null; then
  install -d -m 770 /run/corosync-qdevice
  corosync-qdevice {_QUIET}
fi
"""


def stop_device() -> str:
    """End the quorum device's daemon, and have it not start at boot."""
    return f"""
if [ -d /run/systemd/system ]; then
  systemctl disable --now corosync-qdevice {_QUIET}
else
  left={_END_S * 5}
  while there=$(pidof corosync-qdevice); do
    kill $there 2>/dev/null || :
    left=$((left - 1)); [ $left -gt 0 ] || {{ echo "corosync-qdevice does not end" >&2; exit 1; }}
    sleep 0.2
  done
fi
"""


def device_counts(host: str) -> str:
    """Wait until the corosync of this host has the vote of the quorum device on `host`."""
    tools = f"see corosync-qdevice-tool -s here, and corosync-qnetd-tool -l on {host}"
    return f"""
left={_END_S}
until corosync-quorumtool -s 2>/dev/null | grep -Eq '^ *0 +[1-9][0-9]* +Qdevice'; do
  left=$((left - 1)); [ $left -gt 0 ] || {{ printf '%s\\n' {shlex.quote(f"the quorum device gives no vote: {tools}")} >&2; exit 1; }}
  sleep 1
done
"""


def clear_device() -> str:
    """Leave nothing of the quorum device on a host."""
    return f"rm -rf {CERTIFICATES}\n"


def start_node(services: Services) -> str:
    """See whether the node's configuration can be used, and start the daemon."""
    start = services.start_node or "systemctl enable --now reconciler"
    return f"""
reconciler run --config {NODE_YAML} --check {_QUIET}
{_given(start)}
"""


def leave(timeout_s: int, services: Services) -> str:
    """Have the node stop what it runs and end, and not start at boot."""
    stop = services.stop_node or "if [ -d /run/systemd/system ]; then systemctl disable --now reconciler; fi"
    return f"""
if command -v reconciler >/dev/null; then reconciler cluster leave --timeout {timeout_s} {_QUIET}; fi
{_given(stop)}
"""


def forget(name: str) -> str:
    """Have the cluster forget a node."""
    return f"reconciler cluster forget {shlex.quote(name)} --timeout {_END_S} {_QUIET}"


def clear(state: str) -> str:
    """Leave nothing of the cluster on a host: neither its keys nor its list of nodes; the node's state is put aside."""
    quoted = shlex.quote(state)
    return f"""
rm -f {CONF} {CONF}{BEFORE} {KEY} {KEY}{BEFORE} /var/lib/corosync/ringid_*
{clear_device().strip()}
if [ -d {quoted} ] && [ -n "$(ls -A {quoted})" ]; then mv {quoted} {quoted}.removed-$(date +%Y%m%dT%H%M%S); fi
"""


def _given(command: str) -> str:
    """A command as somebody gave it, whatever it ends with; what it prints is told when it fails."""
    return f"{{\n{command}\n}} {_QUIET}"


def _encoded(data: bytes) -> str:
    text = base64.b64encode(data).decode("ascii")
    return "\n".join(text[at : at + 76] for at in range(0, len(text), 76))

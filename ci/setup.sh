# Sourced by ci/test and ci/demo: makes what they run on. Says what it does, and does only what is missing.
#
#   need_python            PYTHON: a Python 3.11 or newer
#   need_packages P…       Debian packages, installed when root; without root what is missing is named
#   need_environment FILE  a virtual environment in .venv with the hashed requirements of FILE and this project, as it is here

# Certificates are judged as the system's other programs judge them: networks with a proxy of their own need that.
export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} UV_NATIVE_TLS=${UV_NATIVE_TLS:-1}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

need_python() {
  for PYTHON in python3 python3.13 python3.12 python3.11; do
    if command -v "$PYTHON" >/dev/null && "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      return
    fi
  done
  die "Python 3.11 or newer is needed (Debian 12: apt-get install python3 python3-venv)"
}

package_missing() { ! dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

need_packages() {
  command -v dpkg-query >/dev/null || { say "not a Debian system: expecting these by other means: $*"; return 0; }
  local missing=()
  for package in "$@"; do
    if package_missing "$package"; then missing+=("$package"); fi
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    say "not root, so these Debian packages stay missing, and what needs them is left out: ${missing[*]}"
    return
  fi
  say "installing Debian packages: ${missing[*]}"
  # A daemon that a package starts by itself has no business on a machine that only runs this.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; fi
  local log
  log=$(mktemp)
  if ! { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; } \
    >"$log" 2>&1; then
    [ -z "$made" ] || rm -f "$policy"
    tail -20 "$log" >&2
    die "apt-get could not install: ${missing[*]}"
  fi
  [ -z "$made" ] || rm -f "$policy"
  rm -f "$log"
}

need_environment() {
  install_environment "$1"
  # What changed since the last time as well: where bytecode can't be written each command compiles it again, and takes twice as long.
  .venv/bin/python -m compileall -q reconciler
}

install_environment() {
  local requirements=$1 stamp=.venv/installed.sha256 wanted
  wanted=$(cat "$requirements" pyproject.toml | sha256sum | cut -d' ' -f1)
  if [ -x .venv/bin/reconciler ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "making .venv and installing $requirements (hashes checked)"
  [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv || die "python3-venv is needed: apt-get install python3-venv"
  [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r ci/requirements-build.txt
  .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r ci/requirements-build.txt -r "$requirements"
  .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --no-deps --no-build-isolation --editable .
  printf '%s\n' "$wanted" >"$stamp"
}

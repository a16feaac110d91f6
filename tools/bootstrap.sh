#!/usr/bin/env bash
# Sets up .venv from the lock files with nothing but python3 >= 3.11 and pip: bootstrap.sh [base|dev]
# Everything stays inside the checkout: neither a writable HOME nor the python3-venv package is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-dev}
say() { printf '· %s\n' "$*"; }

export UV_CACHE_DIR=${UV_CACHE_DIR:-$PWD/.tools/cache} PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1

python=
for candidate in python3.11 python3.12 python3.13 python3.14 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[[ -n $python ]] || { say 'Python 3.11 or newer is needed, and was not found as python3.'; exit 2; }

# uv asks the registry that pip was told to ask, so that a mirror has to be named only once.
if [[ -z ${UV_DEFAULT_INDEX:-} ]] && index=$("$python" -m pip config get global.index-url 2>/dev/null) && [[ -n $index ]]; then
  export UV_DEFAULT_INDEX=$index
fi
[[ -z ${PIP_CERT:-} ]] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$PIP_CERT}

uv=.tools/bin/uv
if [[ ! -x $uv ]]; then
  "$python" -m pip --version >/dev/null 2>&1 || { say "pip is needed for $python (Debian: apt-get install python3-pip)"; exit 2; }
  say 'first time here: fetching uv into .tools (once)'
  "$python" -m pip install --quiet --quiet --root-user-action=ignore --no-cache-dir --no-deps --upgrade --target .tools --require-hashes -r tools/uv-requirements.lock
fi
if [[ ! -x .venv/bin/python ]]; then
  say "making .venv with $("$python" --version)"
  "$uv" venv --quiet --python "$python" .venv
fi

install() { "$uv" pip install --quiet --python .venv/bin/python "$@"; }
say 'installing what mcplatch needs, from requirements.lock'
install --require-hashes -r requirements.lock
if [[ $what == dev ]]; then
  say 'installing what the tests and checks need, from requirements-dev.lock'
  install --require-hashes -r requirements-dev.lock
fi
install --no-deps --no-build-isolation --editable .
touch .venv/.ready
[[ $what != dev ]] || touch .venv/.ready-dev
say 'set up'

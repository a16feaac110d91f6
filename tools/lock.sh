#!/usr/bin/env bash
# Writes the lock files: every package by exact version and hash, for every platform, and no registry's address.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.tools/bin/uv
export UV_CACHE_DIR=${UV_CACHE_DIR:-$PWD/.tools/cache}
compile=("$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate)
"${compile[@]}" pyproject.toml --extra postgres --group build -o requirements.lock "$@"
"${compile[@]}" pyproject.toml --extra postgres --group build --group dev -c requirements.lock -o requirements-dev.lock "$@"
printf 'uv==%s\n' "$("$uv" --version | cut -d' ' -f2)" | "${compile[@]}" - -o tools/uv-requirements.lock
if grep -nE 'https?://|file://' requirements.lock requirements-dev.lock tools/uv-requirements.lock; then
  echo 'a lock file names an address; it must not' >&2
  exit 1
fi

#!/usr/bin/env bash
# The suites that start browsers, real processes and other people's programs; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
outside=tests/outside
done=$outside/node_modules/.installed

# npm keeps its cache inside the checkout too: HOME may be read-only.
export npm_config_cache=${npm_config_cache:-$PWD/.tools/npm} npm_config_update_notifier=false

if [[ ! -e $done || $outside/package-lock.json -nt $done ]]; then
  if command -v npm >/dev/null; then
    echo '· installing the outside programs from tests/outside/package-lock.json (once)'
    (cd "$outside" && npm ci --no-audit --no-fund --loglevel=error)
    touch "$done"
  else
    echo '· npm is missing: the suites of outside programs will fail (Debian: apt-get install npm)'
  fi
fi
.venv/bin/python -m pytest -q -m slow -n 2 --dist loadfile "$@" && exit 0
# Browsers and other people's programs have short waits of their own: what failed in the crowd may show that
# it was only the crowd, once, alone. What fails twice has failed.
echo '· once more, alone: what failed'
exec .venv/bin/python -m pytest -q -m slow --last-failed --last-failed-no-failures none "$@"

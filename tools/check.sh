#!/usr/bin/env bash
# Runs every check, tells each one's outcome, and fails if any failed.
set -u
bin=.venv/bin
failed=()

step() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf '  ok      %s\n' "$name"
  else
    printf '%s\n  FAILED  %s\n' "$output" "$name"
    failed+=("$name")
  fi
}

step 'format' "$bin/ruff" format --check --quiet .
step 'lint' "$bin/ruff" check --quiet --output-format concise .
step 'types' "$bin/mypy" --no-error-summary
step 'import rules' "$bin/lint-imports" --no-cache
step 'house rules' "$bin/python" -m pytest -q -p no:cacheprovider tests/house
[[ ${#failed[@]} -eq 0 ]] || { printf '%s: %s\n' 'failed' "${failed[*]}"; exit 1; }

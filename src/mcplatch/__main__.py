"""Lets `python -m mcplatch` be the mcplatch command."""

from __future__ import annotations

from mcplatch.cli.main import main

main()

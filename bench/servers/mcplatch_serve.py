"""`mcplatch serve`, for the bench: its limits are widened by the configuration alone."""

from __future__ import annotations

from mcplatch.cli.main import main

main()

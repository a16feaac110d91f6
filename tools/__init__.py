"""The checkout's own tools: set-up, checks and generated pages. Not part of the package."""

from __future__ import annotations

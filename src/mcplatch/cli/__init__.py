"""The command line, one file a command; the only room that names concrete classes of all others."""

from __future__ import annotations

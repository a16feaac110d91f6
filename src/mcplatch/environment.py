"""The one place that looks at the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping


def variable(name: str) -> str | None:
    """The value of one environment variable; an empty one counts as not set."""
    return os.environ.get(name) or None


def everything() -> Mapping[str, str]:
    """A copy of the whole environment, as it is now."""
    return dict(os.environ)

"""What the operator may do besides serving: each a plain function over one transaction."""

from __future__ import annotations

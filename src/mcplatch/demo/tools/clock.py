"""The tool `get_time`: the time of day anywhere, with its zone told truthfully (IANA names)."""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC, datetime
from functools import cache
from typing import TypedDict

from mcplatch.demo.tools.mistake import Mistake, shown

MAX_ZONE_LENGTH = 64


class TimeAnswer(TypedDict):
    """What `get_time` answers: `current_time` in ISO 8601, `timestamp` in Unix seconds."""

    current_time: str
    timezone: str
    utc_offset: str
    abbreviation: str
    timestamp: int
    formatted: str


def time_in(zone: str, now: int) -> TimeAnswer | Mistake:
    """The moment `now` (Unix seconds) on a clock in `zone`, or a Mistake with the nearest names."""
    name = _known_zones().get(zone.strip().casefold()) if len(zone) <= MAX_ZONE_LENGTH else None
    if name is None:
        return _unknown(zone)
    there = datetime.fromtimestamp(now, UTC).astimezone(zoneinfo.ZoneInfo(name))
    offset = there.strftime("%z")
    return TimeAnswer(
        current_time=there.isoformat(),
        timezone=name,
        utc_offset=f"UTC{offset[:3]}:{offset[3:5]}",
        abbreviation=there.strftime("%Z"),
        timestamp=now,
        formatted=f"{there:%Y-%m-%d %H:%M:%S} {name} (UTC{offset[:3]}:{offset[3:5]})",
    )


@cache
def _known_zones() -> dict[str, str]:
    return {name.casefold(): name for name in zoneinfo.available_timezones()}


def _unknown(zone: str) -> Mistake:
    known = _known_zones()
    wanted = zone.strip().casefold()[:MAX_ZONE_LENGTH].replace(" ", "_")
    near = difflib.get_close_matches(wanted, known, n=2, cutoff=0.7)
    near += sorted(key for key in known if key.rpartition("/")[2] == wanted and key not in near)
    hint = " or ".join(known[key] for key in near[:3]) or "Europe/Berlin or America/New_York"
    return Mistake(f"{shown(zone)} is not an IANA time zone; write it like {hint}.")

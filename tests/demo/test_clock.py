"""The clock tells the zone it really used, in the offset it really has that day."""

from __future__ import annotations

import zoneinfo
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.demo.tools.clock import TimeAnswer, time_in
from mcplatch.demo.tools.mistake import Mistake

SUMMER = 1_782_820_800  # 2026-06-30 12:00:00 UTC
WINTER = 1_798_718_400  # 2026-12-31 12:00:00 UTC

ANSWERS = [
    ("UTC", SUMMER, "2026-06-30T12:00:00+00:00", "UTC+00:00", "UTC"),
    ("Europe/Berlin", SUMMER, "2026-06-30T14:00:00+02:00", "UTC+02:00", "CEST"),
    ("Europe/Berlin", WINTER, "2026-12-31T13:00:00+01:00", "UTC+01:00", "CET"),
    ("America/New_York", SUMMER, "2026-06-30T08:00:00-04:00", "UTC-04:00", "EDT"),
    ("Asia/Kathmandu", SUMMER, "2026-06-30T17:45:00+05:45", "UTC+05:45", "+0545"),
    ("Pacific/Marquesas", SUMMER, "2026-06-30T02:30:00-09:30", "UTC-09:30", "-0930"),
    (" europe/berlin ", SUMMER, "2026-06-30T14:00:00+02:00", "UTC+02:00", "CEST"),
]

HOSTILE = [
    "",
    "Berlin",
    "Europe/Berln",
    "Mars/Phobos",
    "../../../etc/passwd",
    "/etc/localtime",
    "Europe/../UTC",
    "UTC\x00",
    "UTC\nEurope/Berlin",
    "a" * 100_000,
    "\ud800",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize(("zone", "now", "iso", "offset", "abbreviation"), ANSWERS)
def test_answers(zone: str, now: int, iso: str, offset: str, abbreviation: str) -> None:
    answer = time_in(zone, now)
    assert not isinstance(answer, Mistake)
    assert answer["current_time"] == iso
    assert answer["utc_offset"] == offset
    assert answer["abbreviation"] == abbreviation
    assert answer["timestamp"] == now
    assert answer["timezone"] in answer["formatted"]
    assert offset in answer["formatted"]


@pytest.mark.parametrize("zone", HOSTILE)
def test_what_is_no_zone_is_refused_in_words(zone: str) -> None:
    refused = time_in(zone, SUMMER)
    assert isinstance(refused, Mistake)
    assert "IANA time zone" in refused.sentence
    assert refused.sentence.isprintable()
    assert len(refused.sentence) < 200


@pytest.mark.parametrize(
    ("zone", "hint"), [("Berlin", "Europe/Berlin"), ("Europe/Berln", "Europe/Berlin")]
)
def test_a_near_miss_is_answered_with_the_name(zone: str, hint: str) -> None:
    refused = time_in(zone, SUMMER)
    assert isinstance(refused, Mistake)
    assert hint in refused.sentence


@given(st.sampled_from(sorted(zoneinfo.available_timezones())), st.integers(0, 4_000_000_000))
def test_every_zone_names_the_same_moment(zone: str, now: int) -> None:
    answer = time_in(zone, now)
    assert not isinstance(answer, Mistake)
    assert datetime.fromisoformat(answer["current_time"]).timestamp() == now


@given(st.text())
def test_any_text_is_answered_or_refused(text: str) -> None:
    answer: TimeAnswer | Mistake = time_in(text, SUMMER)
    assert isinstance(answer, Mistake) or answer["timestamp"] == SUMMER

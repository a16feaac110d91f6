"""The weather is invented, says so, and is the same for the same place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.demo.tools.mistake import Mistake
from mcplatch.demo.tools.weather import MAX_NAME_LENGTH, weather_in

HOSTILE = [
    ("", "US", "city is empty"),
    ("  ", "US", "city is empty"),
    ("Berlin", "", "country is empty"),
    ("x" * (MAX_NAME_LENGTH + 1), "US", "longer than"),
    ("Berlin", "x" * 1000, "longer than"),
    ("Ber\x00lin", "DE", "cannot be printed"),
    ("Ber\nlin", "DE", "cannot be printed"),
    ("\ud800", "DE", "cannot be printed"),
    ("\u202eniltreB", "DE", "cannot be printed"),
]


def test_it_says_that_it_is_simulated() -> None:
    answer = weather_in("Berlin", "DE")
    assert not isinstance(answer, Mistake)
    assert answer["simulated"] is True
    assert "Simulated" in answer["note"]


def test_the_country_is_the_demonstrations_by_default() -> None:
    answer = weather_in("Boston")
    assert not isinstance(answer, Mistake)
    assert answer["country"] == "US"


def test_the_same_place_has_the_same_weather() -> None:
    one, other = weather_in("Berlin", "DE"), weather_in(" berlin ", "de")
    assert not isinstance(one, Mistake)
    assert not isinstance(other, Mistake)
    assert {**one, "city": "", "country": ""} == {**other, "city": "", "country": ""}
    assert weather_in("Berlin", "US") != one


@pytest.mark.parametrize(("city", "country", "part"), HOSTILE)
def test_odd_names_are_refused_in_words(city: str, country: str, part: str) -> None:
    refused = weather_in(city, country)
    assert isinstance(refused, Mistake)
    assert part in refused.sentence


@given(st.text(), st.text())
def test_any_place_is_answered_or_refused(city: str, country: str) -> None:
    answer = weather_in(city, country)
    if isinstance(answer, Mistake):
        return
    assert -10 <= answer["temperature_celsius"] <= 34
    assert 20 <= answer["humidity"] <= 95
    assert answer["condition"] != "Snow showers" or answer["temperature_celsius"] <= 4

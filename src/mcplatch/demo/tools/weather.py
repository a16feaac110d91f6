"""The tool `get_weather`: invented weather that says so, the same for the same place each time."""

from __future__ import annotations

import hashlib
from typing import TypedDict

from mcplatch.demo.tools.mistake import Mistake

MAX_NAME_LENGTH = 80
CONDITIONS = ("Sunny", "Partly cloudy", "Cloudy", "Light rain", "Windy", "Foggy", "Snow showers")
NOTE = "Simulated: computed from the name of the place, no weather service was asked."


class WeatherAnswer(TypedDict):
    """What `get_weather` answers: whole degrees Celsius, humidity in percent, wind in km/h."""

    city: str
    country: str
    temperature_celsius: int
    condition: str
    humidity: int
    wind_kmh: int
    simulated: bool
    note: str


def weather_in(city: str, country: str = "US") -> WeatherAnswer | Mistake:
    """Simulated weather of `city` in `country`, or a Mistake when a name is empty, long or odd."""
    for what, name in (("city", city), ("country", country)):
        if not name.strip():
            return Mistake(f"The {what} is empty.")
        if len(name) > MAX_NAME_LENGTH:
            return Mistake(f"The {what} is longer than {MAX_NAME_LENGTH} characters.")
        if not name.isprintable():
            return Mistake(f"The {what} has characters that cannot be printed.")
    place = f"{city.strip().casefold()}, {country.strip().casefold()}"
    drawn = hashlib.sha256(place.encode("utf-8", "surrogatepass")).digest()
    temperature = drawn[0] % 45 - 10
    return WeatherAnswer(
        city=city.strip(),
        country=country.strip(),
        temperature_celsius=temperature,
        condition=_condition(drawn[1], temperature),
        humidity=20 + drawn[2] % 76,
        wind_kmh=drawn[3] % 60,
        simulated=True,
        note=NOTE,
    )


def _condition(drawn: int, temperature: int) -> str:
    """Any of the conditions that the temperature allows: no snow above four degrees."""
    possible = CONDITIONS if temperature <= 4 else CONDITIONS[:-1]
    return possible[drawn % len(possible)]

"""Reads a TOML file and MCPLATCH_ variables into a Config; remembers where each value came from."""

from __future__ import annotations

import dataclasses
import difflib
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcplatch.config.rules import mistakes_in, notes_on
from mcplatch.config.settings import Config
from mcplatch.config.values import Secret, secret, secret_key

PREFIX: Final = "MCPLATCH_"
CONFIG_VARIABLE: Final = "MCPLATCH_CONFIG"
# Variables of the client and the demonstration, which share the prefix but not this configuration.
NOT_SETTINGS: Final = (CONFIG_VARIABLE, "MCPLATCH_STORE", "MCPLATCH_HOME", "MCPLATCH_DEMO_")


class ConfigError(Exception):
    """The configuration cannot be used; `mistakes` has one sentence for each thing to mend."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Origin:
    """One effective value: where it stands (lifetimes.session), what it is, and who said so."""

    setting: str
    shown: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A usable configuration, the origin of each value, and what gives pause for thought."""

    config: Config
    origins: tuple[Origin, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    source: str


@dataclass(slots=True)
class _Reading:
    folder: Path
    mistakes: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def build(self, kind: type[Any], tree: object, at: str, given: dict[str, Any]) -> Any:
        if not isinstance(tree, dict):
            self.mistakes.append(f"{at} must be a table")
            tree = {}
        values, known = dict(given), set[str]()
        for one in dataclasses.fields(kind):
            key = one.metadata["key"] or one.name
            if one.name in given:
                continue
            known |= {key, f"{key}_file"} if _is_secret(one) else {key}
            values[one.name] = self._field(one, key, tree, f"{at}.{key}" if at else key)
        self._unknown(kind, tree.keys() - known, known, at)
        return None if self.mistakes else kind(**values)

    def _field(self, one: dataclasses.Field[Any], key: str, tree: dict[str, Any], at: str) -> Any:
        about = one.metadata
        if "section" in about:
            return self.build(about["section"], tree.get(key, {}), at, {})
        if "several" in about:
            return tuple(self._several(about, tree.get(key), at))
        return self._leaf(one, key, tree, at)

    def _several(self, about: Mapping[str, Any], tree: object, at: str) -> Iterator[Any]:
        named_by = about["named_by"]
        if tree is None:
            return
        if named_by and isinstance(tree, dict):
            for name, table in tree.items():
                yield self.build(about["several"], table, f'{at}."{name}"', {named_by: name})
        elif not named_by and isinstance(tree, list):
            for number, table in enumerate(tree):
                yield self.build(about["several"], table, f"{at}.{number}", {})
        else:
            self.mistakes.append(f"{at} must be {'a table of tables' if named_by else f'[[{at}]]'}")

    def _leaf(self, one: dataclasses.Field[Any], key: str, tree: dict[str, Any], at: str) -> Any:
        given = tree.get(key)
        if _is_secret(one):
            given = self._secret(key, tree, at)
        if given is None:
            if one.default is dataclasses.MISSING:
                self.mistakes.append(f"{at} is needed: {one.metadata['says']}")
                return None
            value = self._placed(one.default)
            self.origins.append(Origin(at, shown(value), "default"))
            return value
        if not isinstance(given, _Given):
            self.mistakes.append(f"{at} must be a value, not a table")
            return None
        try:
            value = self._placed(one.metadata["read"](given.value))
        except ValueError as wrong:
            self.mistakes.append(f"{at} {wrong} ({given.source})")
            return None
        self.origins.append(Origin(at, shown(value), given.source))
        return value

    def _placed(self, value: object) -> Any:
        return self.folder / value if isinstance(value, Path) else value

    def _secret(self, key: str, tree: dict[str, Any], at: str) -> _Given | None:
        direct, named = tree.get(key), tree.get(f"{key}_file")
        if isinstance(direct, _Given) and not direct.source.startswith(PREFIX):
            self.mistakes.append(
                f"{at} is a secret and does not belong in {direct.source}: "
                f"keep it in a file that only you can read, and write {key}_file = its path"
            )
            return None
        if isinstance(direct, _Given) or not isinstance(named, _Given):
            return direct if isinstance(direct, _Given) else None
        file = self.folder / str(named.value)
        try:
            if file.stat().st_mode & stat.S_IROTH:
                self.notes.append(f"everybody on this machine can read {file}: chmod 600 it")
            return _Given(file.read_text(encoding="utf-8"), f"{file} ({named.source})")
        except (OSError, UnicodeDecodeError) as trouble:
            self.mistakes.append(f"{at}_file: cannot read {file}: {_why(trouble)}")
            return _Given("", str(file))

    def _unknown(self, kind: type[Any], unknown: set[str], known: set[str], at: str) -> None:
        for key in sorted(unknown):
            near = difflib.get_close_matches(key, known, 1, 0.6)
            near = near or difflib.get_close_matches(key, _all_settings(Config), 1, 0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.mistakes.append(f"{at + '.' if at else ''}{key} is not a setting{hint}")


def load(file: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The configuration of `file` (or of none), the MCPLATCH_ variables of `environ` laid over it.

    Raises ConfigError, with every mistake that was found.
    """
    tree: dict[str, Any] = _from_file(file) if file else {}
    reading = _Reading(folder=file.resolve().parent if file else Path.cwd())
    _lay_over(tree, environ, reading.mistakes)
    config = reading.build(Config, tree, "", {})
    if config is None:
        raise ConfigError(tuple(dict.fromkeys(reading.mistakes)))
    config = dataclasses.replace(config, database=_absolute(config.database, reading.folder))
    if wrong := mistakes_in(config):
        raise ConfigError(wrong)
    return Loaded(config, tuple(reading.origins), (*reading.notes, *notes_on(config)))


def find(named: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file to use: the one named, MCPLATCH_CONFIG's, ./mcplatch.toml, the system's; or None."""
    if wanted := named or environ.get(CONFIG_VARIABLE):
        return Path(wanted)
    here = (Path("mcplatch.toml"), Path("/etc/mcplatch/mcplatch.toml"))
    return next((place for place in here if place.is_file()), None)


def shown(value: object) -> str:
    """A value as `mcplatch check --explain` prints it; a secret is masked."""
    if isinstance(value, Secret):
        return "********"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "none"
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def _is_secret(one: dataclasses.Field[Any]) -> bool:
    return one.metadata.get("read") in (secret, secret_key)


def _why(trouble: Exception) -> str:
    return getattr(trouble, "strerror", None) or "it is not UTF-8 text"


def _from_file(file: Path) -> dict[str, Any]:
    try:
        parsed = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as trouble:
        raise ConfigError((f"cannot read {file}: {_why(trouble)}",)) from None
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError((f"{file} is not TOML: {wrong}",)) from None
    tree = _with_source(parsed, file.name)
    assert isinstance(tree, dict)  # TOML's outermost value is a table
    return tree


def _with_source(value: object, source: str) -> object:
    if isinstance(value, dict):
        return {key: _with_source(below, source) for key, below in value.items()}
    if isinstance(value, list) and value and all(isinstance(below, dict) for below in value):
        return [_with_source(below, source) for below in value]
    return _Given(value, source)


def _lay_over(tree: dict[str, Any], environ: Mapping[str, str], mistakes: list[str]) -> None:
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(NOT_SETTINGS) or not environ[name]:
            continue
        *above, last = name.removeprefix(PREFIX).lower().split("__")
        place: Any = tree
        for part in above:
            place = _below(place, part)
        if isinstance(place, dict):
            place[last] = _Given(environ[name], name)
        else:
            mistakes.append(f"{name} does not name a setting")


def _below(place: object, part: str) -> object:
    if isinstance(place, list) and part.isascii() and part.isdigit() and int(part) <= len(place):
        if int(part) == len(place):
            place.append({})
        return place[int(part)]
    if isinstance(place, dict):
        return place.setdefault(part, [] if part in ("resource", "client") else {})
    return None


def _all_settings(kind: type[Any], at: str = "") -> Iterator[str]:
    for one in dataclasses.fields(kind):
        below = one.metadata.get("section")
        if below:
            yield from _all_settings(below, f"{one.name}.")
        else:
            yield at + (one.metadata["key"] or one.name)


def _absolute(database: str, folder: Path) -> str:
    scheme, _, path = database.partition(":///")
    if scheme != "sqlite" or path.startswith("/"):
        return database
    return f"sqlite:///{folder / path}"

"""A configuration is read from one file and the environment, and every mistake in it is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcplatch.config import Config, ConfigError, Listen, Rate, Secret, find, load

KEY = "A" * 43
BASE = 'issuer = "http://localhost:9000"\nsecret_key_file = "key"\n'


def read(folder: Path, toml: str = "", environ: dict[str, str] | None = None):
    (folder / "key").write_text(KEY + "\n")
    (folder / "key").chmod(0o600)
    file = folder / "mcplatch.toml"
    file.write_text(BASE + toml)
    return load(file, environ or {})


def mistakes(folder: Path, toml: str = "", environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, toml, environ)
    return "\n".join(caught.value.mistakes)


def test_the_least_configuration_has_safe_defaults(tmp_path):
    config = read(tmp_path).config
    assert config.listen == Listen("127.0.0.1", 9000)
    assert config.database == f"sqlite:///{tmp_path}/mcplatch.db"
    assert config.admin_socket == tmp_path / "mcplatch.sock"
    assert config.lifetimes.access_token == 600
    assert config.lifetimes.retry_window == 30
    assert config.lifetimes.unconfirmed_retry_window == 600
    assert config.registration.private_use_redirects == (
        "cursor://anysphere.cursor-mcp/oauth/callback",
    )


def test_the_default_limits_survive_one_pass_over_all_known_clients(tmp_path):
    limits = read(tmp_path).config.limits
    assert limits.registrations_per_address == Rate(60, 60)


@pytest.mark.parametrize(
    "issuer", ["http://localhost:9000", "http://localhost:9000/", "https://A.b/x"]
)
def test_an_address_stays_byte_for_byte_what_was_written(tmp_path, issuer):
    config = load(None, {"MCPLATCH_ISSUER": issuer, "MCPLATCH_SECRET_KEY": KEY}).config
    assert config.issuer == issuer


def test_a_resource_with_scopes(tmp_path):
    config = read(
        tmp_path,
        """
[[resource]]
identifier = "http://localhost:8001/mcp"
name = "Team Calendar"
[resource.scopes."calendar:read"]
description = "see events"
tools = ["list_events"]
baseline = true
[resource.scopes.admin]
description = "delete everything"
group = "delete"
ticked = false
""",
    ).config
    (resource,) = config.resources
    assert resource.identifier == "http://localhost:8001/mcp"
    first, second = resource.scopes
    assert (first.name, first.tools, first.baseline, first.ticked) == (
        "calendar:read", ("list_events",), True, True,
    )  # fmt: skip
    assert (second.group, second.ticked, second.baseline) == ("delete", False, False)


@pytest.mark.parametrize(
    ("variables", "setting", "value"),
    [
        ({"MCPLATCH_LISTEN": "[::1]:80"}, "listen", Listen("::1", 80)),
        ({"MCPLATCH_TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16"}, "trusted_proxies", ("10.0.0.1", "10.1.0.0/16")),
        ({"MCPLATCH_LIFETIMES__SESSION": "2h"}, "lifetimes.session", 7200),
        ({"MCPLATCH_REGISTRATION__DYNAMIC": "off"}, "registration.dynamic", False),
        ({"MCPLATCH_LIMITS__REGISTRATIONS_PER_ADDRESS": "5/m"}, "limits.registrations_per_address", Rate(5, 60)),
        ({"MCPLATCH_CLIENT__0__ID": "a", "MCPLATCH_CLIENT__0__NAME": "A",
          "MCPLATCH_CLIENT__0__REDIRECT_URIS": "http://localhost/cb"}, "clients.0.redirect_uris",
         ("http://localhost/cb",)),
        ({"MCPLATCH_STORE_KEY": "of the client, not a setting"}, "listen.port", 9000),
    ],
)  # fmt: skip
def test_a_variable_wins_over_the_file(tmp_path, variables, setting, value):
    found = read(tmp_path, 'listen = "127.0.0.1:9000"\n', variables).config
    for part in setting.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("toml", "variables", "says"),
    [
        ("lisen = 1", {}, "lisen is not a setting; did you mean listen?"),
        ("acces_token = 1", {}, "did you mean lifetimes.access_token?"),
        ("[lifetimes]\nacces_token = 1", {}, "lifetimes.acces_token is not a setting; did you mean access_token?"),
        ("", {"MCPLATCH_LISSEN": "x"}, "lissen is not a setting; did you mean listen?"),
        ("", {"MCPLATCH_ISSUER__DEEP": "x"}, "MCPLATCH_ISSUER__DEEP does not name a setting"),
        ("", {"MCPLATCH_CLIENT__7__ID": "x"}, "MCPLATCH_CLIENT__7__ID does not name a setting"),
        ('listen = "localhost"', {}, "listen must be an address and a port"),
        ("listen = 9000", {}, "listen must be an address and a port"),
        ("[lifetimes]\nsession = -1", {}, "lifetimes.session must be seconds"),
        ("[lifetimes]\nsession = true", {}, "lifetimes.session must be seconds"),
        ('[lifetimes]\nsession = "1 week"', {}, "lifetimes.session must be seconds"),
        ("lifetimes = 3", {}, "lifetimes must be a table"),
        ("[[lifetimes]]", {}, "lifetimes must be a table"),
        ("[listen]\nport = 1", {}, "listen must be a value, not a table"),
        ("trusted_proxies = [1]", {}, "trusted_proxies must be a list of texts"),
        ('trusted_proxies = ["nowhere"]', {}, "neither an address nor a network"),
        ('log_format = "xml"', {}, "log_format must be one of console, json"),
        ("[registration]\ndynamic = 3", {}, "registration.dynamic must be true or false"),
        ("[limits]\nconnections = 0", {}, "limits.connections must be a whole number above zero"),
        ('[limits]\nregistrations_per_address = "many"', {}, "limits.registrations_per_address must be text such as"),
        ("[resource]\nidentifier = 'x'", {}, "resource must be [[resource]]"),
        ("[[resource]]", {}, "resource.0.identifier is needed"),
        ("[[resource]]\nscopes = 3", {}, "resource.0.scopes must be a table of tables"),
        ('[[client]]\nid = "a"\nsecret = "0123456789abcdef"', {}, "is a secret and does not belong in mcplatch.toml"),
        ('[[client]]\nid = "a"\nsecret_file = "none-such"', {}, "cannot read"),
        ("", {"MCPLATCH_SECRET_KEY": "short"}, "secret_key must be at least 32 random bytes"),
        ("", {"MCPLATCH_SECRET_KEY": "ä" * 60}, "secret_key must be at least 32 random bytes"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_name(tmp_path, toml, variables, says):
    assert says in mistakes(tmp_path, toml, variables)


def test_all_mistakes_are_told_at_once(tmp_path):
    told = mistakes(tmp_path, 'lisen = 1\nlog_format = "xml"\n[limits]\nconnections = 0')
    assert len(told.splitlines()) == 3


def test_without_anything_set_the_needed_settings_are_named():
    with pytest.raises(ConfigError) as caught:
        load(None, {})
    assert {re.split(r"\W", mistake)[0] for mistake in caught.value.mistakes} == {
        "issuer",
        "secret_key",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"issuer = ", "is not TOML"), (b"\xff\xfe", "it is not UTF-8 text")],
)
def test_a_broken_file_is_one_sentence(tmp_path, content, says):
    file = tmp_path / "mcplatch.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert says in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml", {})


def test_every_value_knows_where_it_came_from_and_no_secret_is_shown(tmp_path):
    loaded = read(tmp_path, "", {"MCPLATCH_LISTEN": "127.0.0.1:1"})
    origins = {origin.setting: origin for origin in loaded.origins}
    assert origins["issuer"].source == "mcplatch.toml"
    assert origins["listen"].source == "MCPLATCH_LISTEN"
    assert origins["lifetimes.session"].source == "default"
    assert origins["secret_key"].shown == "********"
    assert "key (mcplatch.toml)" in origins["secret_key"].source
    assert KEY not in repr(loaded)


def test_a_secret_shows_itself_only_when_asked():
    secret = Secret("hunter2hunter2hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2hunter2hunter2"


def test_the_file_is_found_by_name_then_variable_then_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("named.toml", {"MCPLATCH_CONFIG": "x"}) == Path("named.toml")
    assert find(None, {"MCPLATCH_CONFIG": "x.toml"}) == Path("x.toml")
    Path("mcplatch.toml").touch()
    assert find(None, {}) == Path("mcplatch.toml")


def test_a_config_can_be_made_in_code():
    config = Config(issuer="http://localhost:1", secret_key=Secret(KEY))
    assert config.resources == ()


def test_a_secret_that_everybody_can_read_is_noted(tmp_path):
    assert not [note for note in read(tmp_path).notes if "can read" in note]
    (tmp_path / "key").chmod(0o644)
    (note,) = [note for note in load(tmp_path / "mcplatch.toml", {}).notes if "can read" in note]
    assert str(tmp_path / "key") in note

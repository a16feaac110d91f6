"""Rules between values: addresses, lifetimes, scopes and clients that could not work or would not be safe."""

from __future__ import annotations

import dataclasses

import pytest

from mcplatch.config import Config, Lifetimes, Listen, RegisteredClient, Resource, Scope, Secret
from mcplatch.config.rules import is_loopback, mistakes_in, notes_on

GOOD = Config(issuer="http://localhost:9000", secret_key=Secret("A" * 43))


def resource(identifier="http://localhost:8001/mcp", *scopes):
    return Resource(identifier=identifier, name="R", scopes=scopes)


def scope(name, *tools):
    return Scope(name=name, description="d", tools=tools)


def client(client_id="a", *redirect_uris):
    return RegisteredClient(client_id=client_id, name="A", redirect_uris=redirect_uris)


def test_a_good_configuration_has_no_mistakes():
    good = dataclasses.replace(
        GOOD,
        resources=(resource("http://localhost:8001/mcp", scope("a", "t"), scope("b:c", "u")),),
        clients=(client("a", "http://127.0.0.1/callback"),),
    )
    assert mistakes_in(good) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "http://as.example.com"}, "issuer must use https"),
        ({"issuer": "ftp://localhost"}, "issuer must start with https://"),
        ({"issuer": "localhost:9000"}, "issuer must start with https://"),
        ({"issuer": "https://"}, "issuer must start with https://"),
        ({"issuer": "https://a b"}, "issuer must start with https://"),
        ({"issuer": "https://exämple.com"}, "issuer must start with https://"),
        ({"issuer": "https://a.example:port"}, "issuer is not an address"),
        ({"issuer": "https://[::1"}, "issuer is not an address"),
        ({"issuer": "https://a.example#x"}, "issuer must not have a fragment"),
        ({"issuer": "https://a.example?x"}, "issuer must not have a query"),
        ({"issuer": "https://me@a.example"}, "issuer must not carry a user name"),
        ({"listen": Listen("0.0.0.0", 9000)}, "in the clear"),
        ({"listen": Listen("192.0.2.1", 9000)}, "in the clear"),
        ({"database": "mysql://x"}, "database must start with"),
        ({"lifetimes": Lifetimes(retry_window=700)}, "retry_window"),
        ({"lifetimes": Lifetimes(refresh_token_idle=91 * 86400)}, "refresh_token_idle"),
        ({"lifetimes": Lifetimes(authorization_code=601)}, "authorization_code"),
        ({"resources": (resource(), resource())}, "is configured twice"),
        ({"resources": (resource("http://mcp.example.com/"),)}, "must use https"),
        ({"resources": (resource("https://mcp.example.com/#x"),)}, "must not have a fragment"),
        ({"resources": (resource("https://m.example", scope("a b")),)}, "is not a scope name"),
        ({"resources": (resource("https://m.example", scope('a"b')),)}, "is not a scope name"),
        ({"resources": (resource("https://m.example", scope("a", "t"), scope("b", "t")),)}, "the tool t is in two"),
        ({"clients": (client("a", "http://x/"), client("a", "http://x/"))}, "client a is configured twice"),
        ({"clients": (client("https://a.example/c", "http://x/"),)}, "metadata document"),
        ({"clients": (client("a"),)}, "at least one address"),
        ({"clients": (client("a", "/relative"),)}, "is not an absolute address"),
        ({"clients": (client("a", "http://localhost/#f"),)}, "is not an absolute address"),
    ],
)  # fmt: skip
def test_each_rule_says_what_to_mend(change, says):
    assert says in "\n".join(mistakes_in(dataclasses.replace(GOOD, **change)))


def test_an_https_issuer_may_listen_anywhere_behind_its_proxy():
    behind = dataclasses.replace(
        GOOD, issuer="https://as.example.com", listen=Listen("0.0.0.0", 80)
    )
    assert mistakes_in(behind) == ()


@pytest.mark.parametrize(
    ("host", "answer"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False),
     ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_loopback_hosts(host, answer):
    assert is_loopback(host) is answer


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "no [[resource]]"),
        ({"resources": (resource(),)}, "has no scopes"),
        (
            {"issuer": "https://a.example", "listen": Listen("0.0.0.0", 80)},
            "not in trusted_proxies",
        ),
    ],
)
def test_what_is_probably_not_meant_is_noted(change, says):
    assert says in "\n".join(notes_on(dataclasses.replace(GOOD, **change)))


def test_a_usual_configuration_has_no_notes():
    usual = dataclasses.replace(
        GOOD, resources=(resource("http://localhost:1/mcp", scope("a", "t")),)
    )
    assert notes_on(usual) == ()

"""Redirect URIs: what may be registered, what matches what, and that nothing is ever rewritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.redirect_uri import (
    KNOWN_PRIVATE_URIS,
    REDIRECT_URI_ANSWERED,
    REDIRECT_URI_MALFORMED,
    REDIRECT_URI_NOT_LOOPBACK,
    REDIRECT_URI_SCHEME,
    check_redirect_uri,
    host_of,
    is_loopback,
    matches,
)
from mcplatch.protocol.refusal import Refusal

CLIENTS = sorted((Path(__file__).parent.parent / "vectors" / "clients").glob("*.json"))
CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback"

REGISTRABLE = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://app.example",
    "https://app.example/",
    "https://app.example:8443/cb?tenant=1&next=%2Fhome",
    "https://app.example/cb?mystate=1&codec=x&statement",
    "https://xn--bcher-kva.example/cb",
    "https://203.0.113.9/cb",
    "https://[2001:db8::1]/cb",
    "https://127.0.0.1/cb",
    "http://127.0.0.1/",
    "http://127.0.0.1",
    "http://127.0.0.1:33418/",
    "http://[::1]:7000/callback",
    "http://localhost:6274/oauth/callback",
    "http://localhost/callback/3f9a2c1b",
    "https://app.example/a..b/...c",
    CURSOR,
]


@pytest.mark.requirement("AS-49", "AS-50")
@pytest.mark.parametrize("uri", REGISTRABLE)
def test_may_be_registered(uri: str) -> None:
    assert check_redirect_uri(uri, private_schemes=KNOWN_PRIVATE_URIS) is None


MALFORMED = [
    "",
    "callback",
    "/callback",
    "//app.example/cb",
    "https:",
    "https://",
    "https:///cb",
    "https:app.example/cb",
    "https:/app.example/cb",
    "https://?x=1",
    "https://:443/cb",
    "https://app.example:/cb",
    "https://app.example:0/cb",
    "https://app.example:00443/cb",
    "https://app.example:65536/cb",
    "https://app.example:99999/cb",
    "https://app.example:4٤3/cb",
    "https://user@app.example/cb",
    "https://user:pw@app.example/cb",
    "https://app.example@evil.example/cb",
    "https://app.example/cb#fragment",
    "https://app.example/cb#",
    "https://*.app.example/cb",
    "https://app.example/*",
    "https://app.example/cb?x=*",
    "https://app.example/a/../cb",
    "https://app.example/./cb",
    "https://app.example/cb/..",
    "https://app.example/a/%2e%2e/cb",
    "https://app.example/a/.%2E/cb",
    "https://app.example/a%2f..%2fcb",
    "https://app.example/a%5c..%5ccb",
    "https://app.example\\@evil.example/cb",
    "https://evil.example\\.app.example/cb",
    "https:\\\\app.example/cb",
    " https://app.example/cb",
    "https://app.example/cb ",
    "https://app.example/c b",
    "https://app.example/cb\n",
    "https://app.example/\tcb",
    "https://app.example/cb\x00",
    "https://app.example/cb%00",
    "https://app.example/cb%0d%0aSet-Cookie:x",
    "https://app.example/cb%0",
    "https://app.example/cb%zz",
    "https://app.example/<script>",
    'https://app.example/"',
    "https://bücher.example/cb",
    "https://app。example/cb",
    "https://app.example/ü",
    "https://App.example/cb",
    "https://app.example./cb",
    "https://.app.example/cb",
    "https://app..example/cb",
    "https://-app.example/cb",
    "https://app_.example/cb",
    "https://127.1/cb",
    "https://2130706433/cb",
    "https://0x7f000001/cb",
    "https://0177.0.0.1/cb",
    "https://127.0.0.01/cb",
    "https://1.2.3.4.5/cb",
    "https://[::ffff:127.0.0.1]/cb",
    "https://[0:0:0:0:0:0:0:1]/cb",
    "https://[fe80::1%25eth0]/cb",
    "https://[::1/cb",
    "https://::1/cb",
    "http://127.1/cb",
    "http://2130706433/cb",
    "http://0x7f.1/cb",
    "http://１２７.0.0.1/cb",
    "http://LOCALHOST/cb",
    "http://localhost\r\n/cb",
    "https://app.example/" + "a" * 2000,
]


@pytest.mark.requirement("AS-49")
@pytest.mark.parametrize("uri", MALFORMED)
def test_is_malformed(uri: str) -> None:
    refusal = check_redirect_uri(uri, private_schemes=KNOWN_PRIVATE_URIS)
    assert refusal is not None
    assert refusal.reason is REDIRECT_URI_MALFORMED


@pytest.mark.requirement("AS-49")
@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example/cb",
        "http://127.0.0.2/cb",
        "http://0.0.0.0/cb",
        "http://[::2]/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://192.168.0.1/cb",
        "http://sub.localhost/cb",
    ],
)
def test_plain_http_only_on_loopback(uri: str) -> None:
    refusal = check_redirect_uri(uri, private_schemes=KNOWN_PRIVATE_URIS)
    assert refusal is not None
    assert refusal.reason is REDIRECT_URI_NOT_LOOPBACK


@pytest.mark.requirement("AS-49")
@pytest.mark.parametrize(
    "query",
    ["code=x", "a=1&code=x", "state=", "state", "iss=x&a=1", "error=x", "%63ode=x", "Code=x"],
)
def test_no_query_that_answers_already(query: str) -> None:
    refusal = check_redirect_uri(f"https://app.example/cb?{query}", private_schemes=frozenset())
    assert refusal is not None
    assert refusal.reason is REDIRECT_URI_ANSWERED


@pytest.mark.requirement("AS-49", "AS-50")
@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "vbscript:msgbox(1)",
        "blob:https://app.example/1",
        "about:blank",
        "mailto:a@b.example",
        "HTTPS://app.example/cb",
        "Http://127.0.0.1/cb",
        "ftp://app.example/cb",
        "ws://127.0.0.1/cb",
        "urn:ietf:wg:oauth:2.0:oob",
        "com.example.app:/oauth",
        "cursor://evil",
        "cursor://anysphere.cursor-mcp/oauth/callback/",
        "cursor://anysphere.cursor-mcp/oauth/callback?x=1",
        "Cursor://anysphere.cursor-mcp/oauth/callback",
    ],
)
def test_other_schemes_only_as_a_whole_uri(uri: str) -> None:
    refusal = check_redirect_uri(uri, private_schemes=KNOWN_PRIVATE_URIS)
    assert refusal is not None
    assert refusal.reason is REDIRECT_URI_SCHEME


@pytest.mark.requirement("AS-49", "AS-50")
@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "file:///x", "HTTP://x/"],
)
def test_no_configuration_allows_a_scheme_a_browser_runs(uri: str) -> None:
    assert check_redirect_uri(uri, private_schemes=frozenset({uri})) is not None


def test_configuration_allows_a_private_scheme() -> None:
    uri = "com.example.app:/oauth"
    assert check_redirect_uri(uri, private_schemes=frozenset({uri})) is None
    assert check_redirect_uri(CURSOR, private_schemes=frozenset({uri})) is not None


MATCHING = [
    ("https://app.example/cb", "https://app.example/cb"),
    ("http://127.0.0.1/callback", "http://127.0.0.1:51004/callback"),
    ("http://127.0.0.1:51004/callback", "http://127.0.0.1/callback"),
    ("http://127.0.0.1:33418/", "http://127.0.0.1:60907/"),
    ("http://127.0.0.1", "http://127.0.0.1:1"),
    ("http://[::1]/cb", "http://[::1]:65535/cb"),
    ("http://localhost/callback", "http://localhost:58135/callback"),
    ("http://localhost/callback?a=1", "http://localhost:58135/callback?a=1"),
    (CURSOR, CURSOR),
]


@pytest.mark.requirement("AS-45", "AS-46", "AS-47", "E11")
@pytest.mark.parametrize(("registered", "presented"), MATCHING)
def test_matches(registered: str, presented: str) -> None:
    assert matches(registered, presented)


DIFFERENT = [
    ("https://app.example/cb", "https://app.example/cb/"),
    ("https://app.example/cb", "https://app.example/CB"),
    ("https://app.example/cb", "https://APP.example/cb"),
    ("https://app.example/cb", "https://app.example/cb?"),
    ("https://app.example/cb", "https://app.example/cb?x=1"),
    ("https://app.example/cb", "https://app.example/cb/sub"),
    ("https://app.example/cb", "https://app.example:443/cb"),
    ("https://app.example/cb", "https://app.example:8443/cb"),
    ("https://app.example", "https://app.example/"),
    ("https://127.0.0.1/cb", "https://127.0.0.1:8443/cb"),
    ("https://localhost/cb", "https://localhost:8443/cb"),
    ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb/"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x=1"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:51004/Cb"),
    ("http://127.0.0.1/", "http://127.0.0.1:51004"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:080/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb#x"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:1.evil.example/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb\n"),
    ("http://127.0.0.1/cb", " http://127.0.0.1:51004/cb"),
    ("http://127.0.0.1/cb", "HTTP://127.0.0.1:51004/cb"),
    ("http://127.0.0.1/cb", "http://127.1:51004/cb"),
    ("http://127.0.0.1/cb", "http://2130706433/cb"),
    ("http://127.0.0.1/cb", "http://127.0.0.1:٥٥/cb"),
    ("http://127.0.0.1/cb", "http://localhost/cb"),
    ("http://localhost/cb", "http://127.0.0.1/cb"),
    ("http://localhost/cb", "http://[::1]/cb"),
    ("http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]/cb"),
    ("http://localhost/cb", "http://LOCALHOST/cb"),
    ("http://localhost/cb", "http://localhost.:1/cb"),
    (CURSOR, CURSOR + "/"),
]


@pytest.mark.requirement("AS-45", "AS-46", "AS-48")
@pytest.mark.parametrize(("registered", "presented"), DIFFERENT)
def test_does_not_match(registered: str, presented: str) -> None:
    assert not matches(registered, presented)


@pytest.mark.requirement("AS-72")
@pytest.mark.parametrize(
    ("uri", "host", "loopback"),
    [
        ("https://app.example:8443/cb", "app.example", False),
        ("http://127.0.0.1:9/cb", "127.0.0.1", True),
        ("http://[::1]/", "[::1]", True),
        ("http://localhost/cb", "localhost", True),
        ("https://localhost.evil.example/cb", "localhost.evil.example", False),
        (CURSOR, "cursor://anysphere.cursor-mcp", False),
        ("com.example.app:/oauth", "com.example.app:/oauth", False),
    ],
)
def test_what_people_are_shown(uri: str, host: str, loopback: bool) -> None:
    assert host_of(uri) == host
    assert is_loopback(uri) is loopback


@pytest.mark.requirement("AS-46", "AS-47", "AS-49", "AS-50")
@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_real_clients_redirects_are_registrable_and_match(path: Path) -> None:
    client = json.loads(path.read_text())
    bodies = [client.get("document", {}).get("body"), client.get("registration")]
    registered = [uri for body in bodies if body for uri in body["redirect_uris"]]
    for uri in registered:
        assert check_redirect_uri(uri, private_schemes=KNOWN_PRIVATE_URIS) is None, uri
    for used in client["uses"]:
        assert any(matches(uri, used) for uri in registered), used


near = st.sampled_from(REGISTRABLE + MALFORMED).flatmap(
    lambda uri: st.tuples(st.just(uri), st.integers(0, len(uri)), st.characters())
)


@pytest.mark.requirement("AS-45", "AS-49")
@given(st.one_of(st.text(), near.map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :])))
def test_whatever_is_registrable_is_harmless(text: str) -> None:
    if check_redirect_uri(text, private_schemes=KNOWN_PRIVATE_URIS) is not None:
        return
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set(' \\#*"<>^`{|}')
    assert "@" not in text.split("/", 3)[2]
    assert text.startswith(("https://", "http://127.0.0.1", "http://[::1]", "http://localhost"))
    assert matches(text, text)


@given(st.sampled_from(REGISTRABLE), st.integers(0, 60), st.characters())
def test_one_changed_character_does_not_match(uri: str, at: int, character: str) -> None:
    """Only the digits of a loopback port may differ."""
    at = at % len(uri)
    changed = uri[:at] + character + uri[at + 1 :]
    if changed == uri or (uri.startswith("http://") and _portless(changed) == _portless(uri)):
        return
    assert not matches(uri, changed)


def _portless(uri: str) -> str:
    head, _, rest = uri.removeprefix("http://").partition("/")
    host, colon, port = head.rpartition(":")
    ascii_port = port.isascii() and port.isdigit() and port[0] != "0" and int(port) <= 65535
    return f"{host if colon and ascii_port else head}/{rest}"


def test_refusals_are_values_with_an_rfc_7591_error() -> None:
    refusal = check_redirect_uri("javascript:1", private_schemes=frozenset())
    assert isinstance(refusal, Refusal)
    assert refusal.reason.error == "invalid_redirect_uri"
    assert refusal.reason.status == 400

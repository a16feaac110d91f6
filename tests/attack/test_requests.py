"""Requests written by hand: no crash, no split answer, no dropped connection, nothing in the log."""

from __future__ import annotations

import pytest

from tests.attack.stage import Target

pytestmark = pytest.mark.anyio


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:80]
    return int(answer[9:12])


ODD_INTERACTIONS = [
    "/interaction/a%0d%0aX-Injected:%201/password",
    "/interaction/a%0aX-Injected:%201/password",
    "/interaction/a%00b/consent",
    "/interaction/%E2%82%AC/password",
    "/interaction/%ff%fe/password",
]
PATHS = [
    "/interaction/%E2%82%AC",
    "/interaction/a%0d%0aX-Injected:%201",
    "/interaction/..%2f..%2f/password",
    "/static/..%2f..%2fapp.py",
    "/static/%00",
    "/%ff",
    "/%0d%0aX-Injected:%201",
    "//evil.example/account",
    "/account/",
    "/authorize/",
    "/.well-known/oauth-authorization-server%0d%0aX-Injected:1",
]


@pytest.mark.requirement("AS-21")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_odd_paths_are_answered_and_never_split(
    target: Target, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    length = ["Content-Length: 0"] if method == "POST" else []
    answer = await target.raw(f"{method} {path} HTTP/1.1", *length)
    assert status_of(answer) < 500
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nx-injected" not in head
    assert b"\r\nlocation: //" not in head
    assert b"evil.example" not in head
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("path", ODD_INTERACTIONS)
async def test_odd_interactions_are_not_there(
    target: Target, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    await test_odd_paths_are_answered_and_never_split(target, caplog, "GET", path)


@pytest.mark.parametrize(
    "query",
    [
        "client_id=%ff",
        "client_id=%00",
        "client_id=" + "a" * 20_000,
        "client_id=client-1&client_id=client-1",
        "client_id=client-1&redirect_uri=http://127.0.0.1/" + "ab" * 7000,
        "client_id=client-1&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%0d%0aX-Injected%3A1%2Fcallback",
        "client_id=client-1&redirect_uri=http://127.0.0.1:1%23/callback",
        "client_id=https%3A%2F%2F" + "a" * 300 + ".example%2Fc",
        "client_id=https%3A%2F%2F%E2%82%AC%2Fc",
        "client_id=dyn-%27%20or%201%3D1--",
        "client_id=client-1&state=" + "s" * 9000,
        "&" * 200,
        "=&=&=",
        "client_id=client-1&resource=%00",
        "client_id=client-1&scope=%22%3E%3Cscript%3E",
    ],
)
@pytest.mark.requirement("AS-22", "AS-25")
async def test_odd_authorization_requests_are_pages(target: Target, query: str) -> None:
    for get in (True, False):
        if get:
            answer = await target.raw(f"GET /authorize?{query} HTTP/1.1")
        else:
            answer = await target.raw(
                "POST /authorize HTTP/1.1",
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(query)}",
                body=query.encode(),
            )
        assert 400 <= status_of(answer) < 500 or b"127.0.0.1/callback?error=" in answer
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"\r\nx-injected" not in head


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Type: application/x-www-form-urlencoded"], b"grant_type=%zz"),
        (["Content-Type: application/x-www-form-urlencoded"], b"\xff=\xff"),
        (["Content-Type: application/json"], b'{"grant_type":"authorization_code"}'),
        (["Content-Type: multipart/form-data; boundary=x"], b"--x--"),
        ([], b"grant_type=authorization_code"),
        (["Content-Type: application/x-www-form-urlencoded", "Authorization: Basic \xff"], b"a=1"),
        (["Content-Type: application/x-www-form-urlencoded", "Authorization: Basic OjpO"], b"a=1"),
        (["Content-Type: application/x-www-form-urlencoded", "Authorization: Bearer x"], b"a=1"),
        (["Content-Type: application/x-www-form-urlencoded"], b"client_id=client-1&" * 5000),
        (["Content-Type: application/x-www-form-urlencoded"], b"a=1&" * 65),
    ],
)
@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect"])
@pytest.mark.requirement("AS-105", "AS-109")
async def test_odd_machine_requests_are_json_refusals(
    target: Target, path: str, lines: list[str], body: bytes
) -> None:
    answer = await target.raw(
        f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", body=body
    )
    assert 400 <= status_of(answer) < 500
    assert b'{"error":"' in answer
    assert b"\r\ncache-control: no-store" in answer.lower()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"[" * 16_000,
        b'{"a":' * 3000,
        b"1" * 16_000,
        b'{"redirect_uris":["http://127.0.0.1/"],"client_name":"' + b"x" * 70_000,
        b'{"redirect_uris":[{"a":1}]}',
        b'{"redirect_uris":["http://127.0.0.1/"],"redirect_uris":["https://evil.example/"]}',
        b'{"redirect_uris":["http://127.0.0.1/\\u0000"]}',
        b'{"redirect_uris":["http://127.0.0.1/\\ud800"]}',
        b'{"redirect_uris":["http://127.0.0.1/"],"client_id":"https://claude.ai/x","scope":1}',
    ],
)
@pytest.mark.requirement("AS-82", "AS-87")
async def test_odd_registrations_are_json_refusals(target: Target, body: bytes) -> None:
    answer = await target.raw(
        "POST /register HTTP/1.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        body=body,
    )
    assert 400 <= status_of(answer) < 500
    assert b'{"error":"' in answer


async def test_what_a_registration_may_not_choose_is_ignored(target: Target) -> None:
    body = (
        b'{"redirect_uris":["http://127.0.0.1/"],"client_id":"https://claude.ai/x",'
        b'"client_secret":"mine","client_secret_expires_at":1,"client_id_issued_at":1,'
        b'"client_name":"a\\u0000\\ud800\\u202eb","kind":"registered","blocked_at":null}'
    )
    async with target.http() as http:
        answer = await http.post("/register", content=body)
    assert answer.status_code == 201
    made = answer.json()
    assert made["client_id"].startswith("dyn-")
    assert made["client_secret"] != "mine"
    assert made["client_id_issued_at"] > 1
    assert made["client_name"] == "ab"

"""The endpoints that machines call, as plain ASGI: token, revocation, introspection, registration,
documents.

They are the hot path, so nothing stands between the server and the operation but this table.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from mcplatch.authorization_server import discovery, introspect, register, revoke, token
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.policy import Policy
from mcplatch.log import log
from mcplatch.protocol import introspection
from mcplatch.protocol.parameters import MOST_BYTES, Parameters, parse_form
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.server_metadata import build, well_known_urls
from mcplatch.protocol.token import error_body
from mcplatch.store.port import Contended, StoreDown

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
NOSNIFF = (b"x-content-type-options", b"nosniff")
CACHED = (b"cache-control", b"public, max-age=300")
ANY_ORIGIN = (b"access-control-allow-origin", b"*")

FORM_EXPECTED = Reason(
    "form-expected",
    "invalid_request",
    "Send application/x-www-form-urlencoded.",
    "OAuth 2.1 3.2",
)
METHOD_NOT_ALLOWED = Reason(
    "method-not-allowed",
    "invalid_request",
    "This method is not allowed here.",
    "RFC 9110 15.5.6",
    405,
)
AUTHORIZATION_REPEATED = Reason(
    "authorization-repeated",
    "invalid_request",
    "Send one Authorization header.",
    "OAuth 2.1 2.4",
)
BODY_TOO_LARGE = Reason(
    "body-too-large", "invalid_request", "The request is too large.", "RFC 9110 15.5.14", 413
)
STORE_UNAVAILABLE = Reason(
    "store-unavailable",
    "temporarily_unavailable",
    "The server cannot answer now. Nothing was changed, try again.",
    "RFC 6749 4.1.2.1",
    503,
)
FAULT = Reason("fault", "server_error", "The server failed.", "RFC 6749 4.1.2.1", 500)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (JSON, NO_STORE, NOSNIFF)


@dataclass(frozen=True, slots=True)
class Call:
    """A whole request, as far as a machine endpoint looks at it."""

    body: bytes
    content_type: str
    authorization: str | None
    address: str | None


Answer = Callable[[Call, House], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers at one path, by which method, and whether scripts of other sites may ask."""

    method: str
    answer: Answer
    cross_origin: bool = True


async def token_endpoint(call: Call, house: House) -> Reply:
    """RFC 6749 section 3.2."""
    form = _form(call)
    if isinstance(form, Refusal):
        return refused(form.reason)
    answered = await token.answer(form, call.authorization, house, address=call.address)
    if isinstance(answered, Refused):
        return refused(answered.reason, basic=call.authorization is not None)
    return Reply(200, answered)


async def revocation_endpoint(call: Call, house: House) -> Reply:
    """RFC 7009."""
    form = _form(call)
    if isinstance(form, Refusal):
        return refused(form.reason)
    answered = await revoke.answer(form, call.authorization, house, address=call.address)
    if answered is not None:
        return refused(answered.reason, basic=call.authorization is not None)
    return Reply(200, b"", (NO_STORE, NOSNIFF))


async def introspection_endpoint(call: Call, house: House) -> Reply:
    """RFC 7662."""
    form = _form(call)
    if isinstance(form, Refusal):
        return refused(form.reason)
    answered = await introspect.answer(form, call.authorization, house, address=call.address)
    if isinstance(answered, Refused):
        return refused(answered.reason, basic=True)
    return Reply(200, _json(introspection.build(answered)))


async def registration_endpoint(call: Call, house: House) -> Reply:
    """RFC 7591."""
    answered = await register.answer(call.body, house, address=call.address)
    if isinstance(answered, Refused):
        wait = str(answered.retry_after or "").encode()
        return refused(answered.reason, *(((b"retry-after", wait),) if wait else ()))
    return Reply(201, _json(answered))


async def jwks_endpoint(_call: Call, house: House) -> Reply:
    """RFC 7517 section 5; the cache lives shorter than the overlap of a key rotation."""
    return Reply(200, house.ring.document, (JSON, CACHED, NOSNIFF))


class MetadataEndpoint:
    """RFC 8414 section 3; the document is written anew only when the policy is another one."""

    def __init__(self) -> None:
        self._written: tuple[Policy | None, Reply] = (None, Reply(404, b""))

    async def __call__(self, _call: Call, house: House) -> Reply:
        policy, reply = self._written
        if policy is not house.policy:
            document = _json(build(discovery.metadata(house.policy)))
            reply = Reply(200, document, (JSON, CACHED, NOSNIFF))
            self._written = (house.policy, reply)
        return reply


async def live_endpoint(_call: Call, _house: House) -> Reply:
    """The event loop turns."""
    return Reply(200, b'{"live":true}')


async def ready_endpoint(_call: Call, house: House) -> Reply:
    """The database answers and a key can sign."""
    now = await house.store.look(lambda transaction: transaction.now)
    house.ring.signer(now)
    return Reply(200, b'{"ready":true}')


def endpoints(house: House, base: str) -> dict[str, Endpoint]:
    """Every machine endpoint by path; `base` is the path of the issuer, without a slash at its
    end.
    """
    table = {
        base + discovery.TOKEN: Endpoint("POST", token_endpoint),
        base + discovery.REVOKE: Endpoint("POST", revocation_endpoint),
        base + discovery.INTROSPECT: Endpoint("POST", introspection_endpoint, cross_origin=False),
        base + discovery.JWKS: Endpoint("GET", jwks_endpoint),
        base + "/livez": Endpoint("GET", live_endpoint, cross_origin=False),
        base + "/readyz": Endpoint("GET", ready_endpoint, cross_origin=False),
    }
    if house.policy.dynamic_registration:
        table[base + discovery.REGISTER] = Endpoint("POST", registration_endpoint)
    metadata_endpoint = MetadataEndpoint()
    for url in well_known_urls(house.policy.issuer):
        path = "/" + url.split("://", 1)[1].partition("/")[2]
        table[path] = Endpoint("GET", metadata_endpoint)
    return table


async def serve(
    endpoint: Endpoint, house: House, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answers one request; whatever breaks is logged here and told to nobody."""
    method = scope["method"]
    if method == "OPTIONS" and endpoint.cross_origin:
        reply = preflight(endpoint)
    elif method != endpoint.method and not (method == "HEAD" and endpoint.method == "GET"):
        reply = refused(METHOD_NOT_ALLOWED, (b"allow", endpoint.method.encode()))
    else:
        reply = await _answered(endpoint, house, scope, receive)
    headers = [*reply.headers, (b"content-length", str(len(reply.body)).encode())]
    if endpoint.cross_origin:
        headers.append(ANY_ORIGIN)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})


async def _answered(endpoint: Endpoint, house: House, scope: Scope, receive: Receive) -> Reply:
    call = await _call(scope, receive)
    if isinstance(call, Refusal):
        return refused(call.reason)
    try:
        return await endpoint.answer(call, house)
    except (StoreDown, Contended) as broken:
        log().warning("store unavailable", path=scope["path"], error=repr(broken))
        return refused(STORE_UNAVAILABLE, (b"retry-after", b"1"))
    except Exception:  # noqa: BLE001  (the last line of defence: no trace leaves)
        log().exception("request failed", path=scope["path"])
        return refused(FAULT)


async def _call(scope: Scope, receive: Receive) -> Call | Refusal:
    content_type, authorization = "", None
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"authorization":
            if authorization is not None:
                return Refusal(AUTHORIZATION_REPEATED)
            authorization = value.decode("latin-1")
    body = b""
    while scope["method"] == "POST":
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return Refusal(BODY_TOO_LARGE)
        if not message.get("more_body", False):
            break
    client = scope.get("client")
    return Call(body, content_type, authorization, client[0] if client else None)


def _form(call: Call) -> Parameters | Refusal:
    kind = call.content_type.partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return Refusal(FORM_EXPECTED)
    return parse_form(call.body)


def refused(reason: Reason, *headers: tuple[bytes, bytes], basic: bool = False) -> Reply:
    """A refusal as a machine reads it (RFC 6749 section 5.2)."""
    challenge = ((b"www-authenticate", b'Basic realm="mcplatch"'),)
    extra = challenge if basic and reason.status == 401 else ()
    return Reply(reason.status, error_body(reason), (JSON, NO_STORE, NOSNIFF, *headers, *extra))


def preflight(endpoint: Endpoint) -> Reply:
    """Lets scripts of any site ask, without credentials of the browser's (RFC 10017)."""
    return Reply(
        204,
        b"",
        (
            (b"access-control-allow-methods", f"{endpoint.method}, OPTIONS".encode()),
            (
                b"access-control-allow-headers",
                b"Authorization, Content-Type, Accept, MCP-Protocol-Version, DPoP",
            ),
            (b"access-control-max-age", b"3600"),
        ),
    )


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()

"""Finds out who signs people in for an MCP server (RFC 9728, RFC 8414, MCP authorization:
discovery).

The order of the questions is the requirement: the document the challenge names, then the path-
inserted and the root address of the protected resource metadata, then the authorization server's
metadata.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from mcplatch.client.dpop import Prover
from mcplatch.client.errors import NoSignInNeeded, ServerFault, Unreachable, Untrusted
from mcplatch.client.sign_in_request import SERVER_ADDRESS, SignInRequest, checked_url, origin_of
from mcplatch.client.talk import JSON, Get, Post, Reply, Talk
from mcplatch.protocol import resource_metadata, server_metadata
from mcplatch.protocol.challenge import Challenge, parse_challenges
from mcplatch.protocol.json_object import read_json_object
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.resource_indicator import same_resource
from mcplatch.protocol.resource_metadata import ResourceMetadata
from mcplatch.protocol.server_metadata import ServerMetadata

_log = logging.getLogger(__name__)

EVENT_STREAM = "text/event-stream"
PING = b'{"jsonrpc":"2.0","id":0,"method":"ping"}'


@dataclass(frozen=True, slots=True)
class Found:
    """Where a person signs in for `server_url`.

    resource: the value of the `resource` parameter, or None where it must not be sent.
    fixed_endpoints: the server publishes no metadata at all, as in the MCP revision of 2025-03-26.
    dpop_required: the resource takes only tokens bound to a key; prover: that key, once there is
    one.
    """

    server_url: str
    resource: str | None
    metadata: ServerMetadata
    scopes_supported: tuple[str, ...] = ()
    fixed_endpoints: bool = False
    dpop_required: bool = False
    prover: Prover | None = None


def knock(server_url: str) -> Talk[Reply]:
    """Asks the server for something without a token, to be told how to get one (CL-1).

    GET first, because every transport has it; POST for servers that only protect what they serve.
    """
    reply = yield Get(server_url, accept=EVENT_STREAM, head_only=True)
    if reply.status == 401:
        return reply
    accept = f"{JSON}, {EVENT_STREAM}"
    return (yield Post(server_url, PING, content_type=JSON, accept=accept, head_only=True))


def token_challenge(reply: Reply) -> Challenge | None:
    """The challenge of a 401 or 403 that asks for a token, wherever it stands among the others.

    Bearer before DPoP where both are offered, and one that names the metadata before one that does
    not (CL-1).
    """
    found = [
        challenge
        for challenge in parse_challenges(reply.all("www-authenticate"))
        if challenge.scheme.lower() in ("bearer", "dpop")
    ]
    found.sort(key=lambda one: (not one.get("resource_metadata"), not one.is_bearer()))
    return next(iter(found), None)


def discover(
    request: SignInRequest, *, resource_metadata_url: str | None, pinned_issuer: str | None = None
) -> Talk[Found]:
    """Finds the authorization server of `request.server_url`.

    `pinned_issuer` is the one used before; it is kept for as long as the server still names it
    (CL-4). Raises `Untrusted` when an answer is not about what was asked for, `ServerFault`,
    `Unreachable`.
    """
    checked_url(request.server_url, what=SERVER_ADDRESS, request=request)
    resource = yield from _find_resource_metadata(request, resource_metadata_url)
    if resource is None:
        return (yield from _discover_without_resource_metadata(request))
    issuer = _choose_issuer(request, resource.authorization_servers, pinned_issuer)
    checked_url(issuer, what="authorization server", request=request)
    names = {issuer, request.accept_issuer} - {None}
    metadata = yield from _find_server_metadata(request, issuer, accepted=names)
    if metadata is None:
        raise ServerFault(
            f"{issuer} publishes no authorization server metadata.",
            next_step=f"Check it with: curl {server_metadata.well_known_urls(issuer)[0]}",
        )
    return Found(
        request.server_url,
        resource.resource if request.send_resource else None,
        metadata,
        resource.scopes_supported,
        dpop_required=resource.dpop_bound_access_tokens_required,
    )


def _find_resource_metadata(
    request: SignInRequest, named: str | None
) -> Talk[ResourceMetadata | None]:
    urls = [named] if named else []
    urls += resource_metadata.well_known_urls(request.server_url)
    failed: Reply | None = None
    for url in dict.fromkeys(urls):
        checked_url(url, what="protected resource metadata address", request=request)
        reply = yield Get(url)
        if _is_trouble(reply):
            failed = reply
            continue
        document = read_json_object(reply.body) if reply.status == 200 else None
        if document is None:
            continue
        found = resource_metadata.parse(document)
        if isinstance(found, Refusal):
            raise ServerFault(
                f"The protected resource metadata at {url} is malformed: {found.detail}.",
                next_step=f"Ask whoever runs {request.server_url} to correct it.",
            )
        _check_resource(request, found.resource)
        return found
    if failed is not None:
        raise _trouble(failed)
    return None


def _check_resource(request: SignInRequest, resource: str) -> None:
    """CL-3: a server may only speak for itself, or for a part of its own site that holds it."""
    server_url = request.server_url
    if same_resource(resource, server_url):
        return
    prefix = resource.rstrip("/") + "/"
    holds = server_url.startswith(prefix) or same_resource(resource, origin_of(server_url))
    if not holds or "?" in resource:
        raise Untrusted(
            f"{server_url} says it is {resource}: your access could end up elsewhere.",
            next_step=f"If {resource} is the server you meant, use that address instead.",
        )


def _choose_issuer(request: SignInRequest, named: tuple[str, ...], pinned: str | None) -> str:
    if not named:
        raise ServerFault(
            f"{request.server_url} names no authorization server.",
            next_step="Ask whoever runs it to add authorization_servers to its metadata.",
        )
    if request.issuer is not None:
        if request.issuer not in named:
            raise Untrusted(
                f"{request.server_url} does not name {request.issuer} as its authorization server.",
                next_step=f"It names: {', '.join(named)}",
            )
        return request.issuer
    if pinned not in (None, request.accept_issuer, *named):
        _log.warning("%s no longer names %s, it names %s", request.server_url, pinned, named[0])
    return pinned if pinned in named else named[0]


def _discover_without_resource_metadata(request: SignInRequest) -> Talk[Found]:
    """CL-7: the revision of 2025-03-26, in which the MCP server's origin is the authorization
    server.
    """
    origin = origin_of(request.server_url)
    names = {origin, origin + "/", request.accept_issuer} - {None}
    metadata = yield from _find_server_metadata(request, origin, accepted=names)
    if metadata is not None:
        resource = request.server_url if request.send_resource else None
        return Found(request.server_url, resource, metadata)
    return Found(request.server_url, None, _fixed_endpoints(origin), fixed_endpoints=True)


def _fixed_endpoints(origin: str) -> ServerMetadata:
    return ServerMetadata(
        issuer=origin,
        authorization_endpoint=origin + "/authorize",
        token_endpoint=origin + "/token",
        registration_endpoint=origin + "/register",
        code_challenge_methods_supported=("S256",),
    )


def _find_server_metadata(
    request: SignInRequest, issuer: str, *, accepted: Iterable[str | None]
) -> Talk[ServerMetadata | None]:
    failed: Reply | None = None
    for url in server_metadata.well_known_urls(issuer):
        reply = yield Get(url)
        if _is_trouble(reply):
            failed = reply
            continue
        document = read_json_object(reply.body) if reply.status == 200 else None
        if document is None:
            continue
        named = document.get("issuer")
        found = server_metadata.parse(
            document, issuer=named if isinstance(named, str) and named in accepted else issuer
        )
        if isinstance(found, Refusal):
            raise _not_its_metadata(request, found, url, issuer)
        if found.issuer != issuer:
            _log.warning("%s calls itself %s; accepted as configured", issuer, found.issuer)
        return _checked_endpoints(request, found)
    if failed is not None:
        raise _trouble(failed)
    return None


def _not_its_metadata(
    request: SignInRequest, refusal: Refusal, url: str, issuer: str
) -> Untrusted | ServerFault:
    if refusal.reason is not server_metadata.METADATA_OF_ANOTHER_ISSUER:
        return ServerFault(
            f"The metadata at {url} is malformed: {refusal.detail}.",
            next_step=f"Ask whoever runs {issuer} to correct it.",
        )
    return Untrusted(
        f"{url} describes {refusal.detail}, not {issuer}.",
        next_step=(
            "Only if you know that both are the same server: "
            f"mcplatch login {request.server_url} --accept-issuer {refusal.detail}"
        ),
    )


def _checked_endpoints(request: SignInRequest, metadata: ServerMetadata) -> ServerMetadata:
    for name in ("authorization", "token", "registration", "revocation"):
        url = getattr(metadata, f"{name}_endpoint")
        if url is not None:
            checked_url(url, what=f"{name} endpoint", request=request)
    return metadata


def _is_trouble(reply: Reply) -> bool:
    return reply.status >= 500 or reply.status == 429


def _trouble(reply: Reply) -> Unreachable:
    return Unreachable(
        f"{reply.url} answered {reply.status}.", next_step="It may be busy: try again in a minute."
    )


def no_sign_in_needed(server_url: str) -> NoSignInNeeded:
    """What to say when a server neither asks for a sign-in nor describes one."""
    return NoSignInNeeded(
        f"{server_url} does not ask for a sign-in.",
        next_step=f"Use it as it is: mcplatch tools {server_url}",
    )

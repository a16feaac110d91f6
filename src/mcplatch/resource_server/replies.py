"""What the guard itself answers: 400, 401, 403, 413, 421, 503, small, in one form (RFC 6750 3)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from mcplatch.protocol.challenge import build_challenge, plain_text
from mcplatch.protocol.jsonrpc import Message, error_body
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.resource_server.body import Send
from mcplatch.resource_server.heads import Headers

ACCESS_CODE = -32001
"""The JSON-RPC code of a refused access; the HTTP status and the challenge are what counts."""
MOST_SHOWN = 200

SIGN_IN = "This server needs a sign-in; the WWW-Authenticate header says where."
NOT_ALLOWED = "Nobody may use this here: the server's policy has no rule that allows it."
OUTAGE = "The access token cannot be checked right now; try again shortly with the same token."
FOREIGN_HOST = "This host name is not served here; the operator adds it to allowed_hosts."
FOREIGN_ORIGIN = "Pages of this origin may not call; the operator adds it to allowed_origins."

_CHALLENGE = b"www-authenticate"


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP response."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def send(self, send: Send, *, more: Headers | None = None, head: bool = False) -> None:
        """Writes the response with `more` headers; a HEAD request gets no body."""
        length = (b"content-length", str(len(self.body)).encode())
        headers = [*self.headers, length, *(more or ())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


@dataclass(frozen=True, slots=True)
class Replies:
    """Makes replies for one resource; `resource_metadata` is the address every challenge names."""

    resource_metadata: str

    def sign_in(self, scope: Iterable[str], asked: Message | None) -> Reply:
        """401 without an error: no credentials came (RS-4)."""
        challenge = build_challenge(resource_metadata=self.resource_metadata, scope=scope)
        return _refused(401, challenge, "unauthorized", SIGN_IN, scope, asked)

    def bad_token(self, reason: Reason, scope: Iterable[str], asked: Message | None) -> Reply:
        """401 invalid_token: the token does not hold, whatever is wrong with it (RS-5)."""
        return self._error(401, "invalid_token", reason.sentence, scope, asked)

    def missing_scope(self, sentence: str, scope: Iterable[str], asked: Message | None) -> Reply:
        """403 insufficient_scope with every scope the operation needs (RS-6)."""
        return self._error(403, "insufficient_scope", sentence, scope, asked)

    def malformed(self, reason: Reason, scope: Iterable[str]) -> Reply:
        """400 invalid_request: the credentials are sent in a way that cannot be read (RS-7)."""
        return self._error(400, "invalid_request", reason.sentence, scope, None)

    def _error(
        self, status: int, error: str, sentence: str, scope: Iterable[str], asked: Message | None
    ) -> Reply:
        challenge = build_challenge(
            resource_metadata=self.resource_metadata,
            scope=scope,
            error=error,
            error_description=sentence,
        )
        return _refused(status, challenge, error, plain_text(sentence), scope, asked)

    def missing_scope_result(self, sentence: str, scope: Iterable[str], asked: Message) -> Reply:
        """The same as a tool result, for a client that only looks there (RS-13)."""
        challenge = build_challenge(
            resource_metadata=self.resource_metadata,
            scope=scope,
            error="insufficient_scope",
            error_description=sentence,
        )
        result = {
            "content": [{"type": "text", "text": sentence}],
            "isError": True,
            "_meta": {"mcp/www_authenticate": [challenge]},
        }
        body = {"jsonrpc": "2.0", "id": asked.id, "result": result}
        return Reply(200, _JSON, json.dumps(body, separators=(",", ":")).encode())


def not_allowed(asked: Message | None) -> Reply:
    """403 without a challenge: there is nothing to ask for, and a client must not try (RS-11)."""
    return Reply(403, _JSON, error_body(_id(asked), ACCESS_CODE, NOT_ALLOWED))


def unavailable(retry_after: int, asked: Message | None) -> Reply:
    """503: the token may be good and must be kept (RS-14)."""
    headers = (*_JSON, (b"retry-after", str(retry_after).encode()))
    return Reply(503, headers, error_body(_id(asked), ACCESS_CODE, OUTAGE))


def bad_message(refusal: Refusal, asked: Message | None) -> Reply:
    """400 or 413: the body, or a header that mirrors it, is not what it should be (RS-81)."""
    reason = refusal.reason
    return Reply(reason.status, _JSON, error_body(_id(asked), int(reason.error), reason.sentence))


def wrong_door(status: int, sentence: str) -> Reply:
    """421 or 403: the request was not meant for us, or comes from a page that may not (RS-80)."""
    return Reply(status, _JSON, error_body(None, ACCESS_CODE, sentence))


def shown(name: str) -> str:
    """A tool's name inside a sentence: printable, short."""
    return plain_text(name[:MOST_SHOWN])


_JSON = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def _refused(
    status: int,
    challenge: str,
    error: str,
    sentence: str,
    scope: Iterable[str],
    asked: Message | None,
) -> Reply:
    detail = {"error": error, "scope": " ".join(scope)}
    body = error_body(_id(asked), ACCESS_CODE, sentence, detail)
    return Reply(status, (*_JSON, (_CHALLENGE, challenge.encode("ascii"))), body)


def _id(asked: Message | None) -> str | int | None:
    return asked.id if asked is not None else None

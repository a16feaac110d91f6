"""Forms of the pages: read strictly, and only from our own page in the same browser (RFC 9700).

Two defences that do not lean on each other: a token that only a page shown to this browser has, and
what the browser itself says about where the form came from. With `Referrer-Policy: no-referrer`
browsers send `Origin: null` from our own pages, so that value alone proves nothing either way.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

from starlette.requests import ClientDisconnect, Request

from mcplatch.protocol.parameters import MOST_BYTES, Parameters, parse_form
from mcplatch.protocol.refusal import Reason, Refusal

CSRF: Final = "csrf"
OWN_SITE: Final = frozenset({"same-origin", "none"})
FORM_TYPE: Final = "application/x-www-form-urlencoded"

NOT_A_FORM = Reason("page-form-expected", "invalid_request", "Send a form.", "HTML", 415)
TOO_LARGE = Reason("page-form-too-large", "invalid_request", "Too large.", "RFC 9110", 413)
FOREIGN = Reason("page-form-foreign", "invalid_request", "From another site.", "RFC 9700 4.16", 403)
OUT_OF_DATE = Reason(
    "page-form-out-of-date", "invalid_request", "The page is out of date.", "RFC 9700 4.16", 403
)


def csrf_token(secret: str, *about: str | None) -> str:
    """The token that a page carries for one form: tied to the browser's secret and the purpose."""
    message = "\n".join(part or "" for part in ("form", *about)).encode()
    mac = hmac.new(secret.encode(), message, sha256).digest()
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


async def read_own_form(
    request: Request, *, origin: str, token: str, repeatable: frozenset[str] = frozenset()
) -> Parameters | Refusal:
    """The fields of a form of ours, or why it is none. `origin` is the issuer's."""
    if comes_from_elsewhere(request, origin):
        return Refusal(FOREIGN)
    form = await read_form(request, repeatable=repeatable)
    if isinstance(form, Refusal):
        return form
    if not hmac.compare_digest((form.get(CSRF) or "").encode(), token.encode()):
        return Refusal(OUT_OF_DATE)
    return form


async def read_form(
    request: Request, *, repeatable: frozenset[str] = frozenset()
) -> Parameters | Refusal:
    """The fields of an urlencoded body, read no further than the limit."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        return Refusal(NOT_A_FORM, kind)
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                return Refusal(TOO_LARGE)
    except ClientDisconnect:
        return Refusal(NOT_A_FORM, "disconnected")
    return parse_form(bytes(body), repeatable=repeatable)


def comes_from_elsewhere(request: Request, origin: str) -> bool:
    """Whether the browser itself says that another site, or another port, sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in OWN_SITE:
        return True
    sent = request.headers.get("origin")
    return sent is not None and sent not in ("null", origin)

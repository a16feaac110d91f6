"""Turns a view into a page with the headers that protect every page (RFC 9700 4.16, RFC 6797)."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.responses import Response

from mcplatch.web.strangers import initial
from mcplatch.web.views import (
    Answered,
    ConnectedApps,
    Consent,
    Denied,
    Ended,
    Held,
    Home,
    NoRedirect,
    NotHere,
    OurFault,
    Returning,
    SignedOut,
    SignIn,
    Site,
    View,
)

TEMPLATES: Final[dict[type[View], str]] = {
    SignIn: "sign_in.html",
    Consent: "consent.html",
    Returning: "returning.html",
    Denied: "denied.html",
    NoRedirect: "no_redirect.html",
    Held: "held.html",
    Answered: "answered.html",
    Ended: "ended.html",
    NotHere: "not_here.html",
    OurFault: "our_fault.html",
    ConnectedApps: "connected_apps.html",
    SignedOut: "signed_out.html",
    Home: "home.html",
}
# No script, no frame, no foreign load, and a form may only come back to us. The answer to a
# consent is a page with a refresh, never a redirect: Chromium applies form-action to every hop.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
TWO_YEARS: Final = 63_072_000
STATIC_TYPES: Final = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def open_site(issuer: str, name: str) -> Site:
    """Describe the server for its pages from the configured issuer string.

    `prefix` is the issuer's path without a closing slash: every link and form starts with it.
    """
    authority, _, path = issuer.partition("://")[2].partition("/")
    prefix = f"/{path}".rstrip("/")
    return Site(
        name=name,
        host=authority,
        prefix=prefix,
        stylesheet=f"{prefix}/static/{static_name('pages.css')}",
        icon=f"{prefix}/static/{static_name('mark.svg')}",
    )


def render(view: View, site: Site) -> str:
    """Write the page of a view. A template that asks for what its view lacks is an exception."""
    template = _environment().get_template(TEMPLATES[type(view)])
    return template.render(view=view, site=site)


def page(view: View, site: Site, *, status: int = 200, https: bool = False) -> Response:
    """Answer with the page of a view and the headers that protect it."""
    return Response(
        render(view, site),
        status_code=status,
        headers=page_headers(https=https),
        media_type="text/html",
    )


def page_headers(*, https: bool) -> dict[str, str]:
    """Headers of pages and of the redirects between them."""
    if not https:
        return dict(PAGE_HEADERS)
    return PAGE_HEADERS | {"strict-transport-security": f"max-age={TWO_YEARS}"}


@cache
def static_name(name: str) -> str:
    """Name under which a static file is served: it changes with the content, so it may be kept."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(_static_bytes(name)).hexdigest()[:12]}.{suffix}"


def static_file(served_name: str) -> Response | None:
    """The static file served under a name, or None. Only the listed files exist."""
    for name in ("pages.css", "mark.svg"):
        if static_name(name) == served_name:
            headers = {
                "cache-control": "public, max-age=31536000, immutable",
                "x-content-type-options": "nosniff",
                "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
            }
            kind = STATIC_TYPES[name.rpartition(".")[2]]
            return Response(_static_bytes(name), headers=headers, media_type=kind)
    return None


@cache
def _static_bytes(name: str) -> bytes:
    return files("mcplatch.web").joinpath("static", name).read_bytes()


def _template_source(name: str) -> str:
    return files("mcplatch.web").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["initial"] = initial
    return environment

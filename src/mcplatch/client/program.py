"""A program that signs in as itself or for a person its company vouches for; no browser (RFC 6749
4.4, RFC 7523, RFC 8693).

One class a way; each is a `Program` and has one method that gets tokens from a known server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from mcplatch.client.credential import Credential
from mcplatch.client.discover import Found, discover
from mcplatch.client.errors import Untrusted
from mcplatch.client.register import Registration, choose_method
from mcplatch.client.senses import Senses
from mcplatch.client.sign_in import Hint, bound_if_asked, credential_of
from mcplatch.client.sign_in_request import SignInRequest, checked_url
from mcplatch.client.talk import Talk
from mcplatch.client.tokens import ask, read_refusal, read_tokens, token_request
from mcplatch.protocol.json_object import read_json_object
from mcplatch.protocol.scope import format_scope
from mcplatch.protocol.token_response import TokenAnswer

ASSERTION_SECONDS = 60
ASSERTION_TYPE = "client-authentication+jwt"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


class Program(Protocol):
    """A way to get tokens without a person. `issuer` is the only server it is for; None: any.

    extension: the MCP extension this is, declared to the MCP server; None: it has no name yet
    (CL-63).
    """

    extension: ClassVar[str | None]

    @property
    def issuer(self) -> str | None:
        """The only authorization server its credentials may go to."""

    def tokens(
        self, request: SignInRequest, found: Found, scope: tuple[str, ...], senses: Senses
    ) -> Talk[tuple[Registration, TokenAnswer]]:
        """Gets them; raises what `read_tokens` raises, and tries nothing else."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The program's own client: a secret, or a private key (ES256, PKCS #8 PEM) (CL-60)."""

    extension: ClassVar[str | None] = "io.modelcontextprotocol/oauth-client-credentials"

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    key_id: str | None = None
    issuer: str | None = None

    def tokens(
        self, request: SignInRequest, found: Found, scope: tuple[str, ...], senses: Senses
    ) -> Talk[tuple[Registration, TokenAnswer]]:
        """RFC 6749 section 4.4."""
        registration = _given(found, self.client_id, self.client_secret)
        form = {"grant_type": "client_credentials"}
        if self.private_key is not None:
            registration = Registration(
                registration.issuer, self.client_id, "private_key_jwt", "given"
            )
            form["client_assertion_type"] = CLIENT_ASSERTION
            form["client_assertion"] = build_assertion(self, registration.issuer, senses)
        return (yield from _granted(found, registration, form, scope))


@dataclass(frozen=True, slots=True)
class Workload:
    """A token that the platform gives the program, which the server trusts instead (CL-62)."""

    extension: ClassVar[str | None] = None

    assertion: str = field(repr=False)
    client_id: str
    issuer: str | None = None

    def tokens(
        self, request: SignInRequest, found: Found, scope: tuple[str, ...], senses: Senses
    ) -> Talk[tuple[Registration, TokenAnswer]]:
        """RFC 7523 section 2.1, once: a refusal is final."""
        registration = _given(found, self.client_id, None)
        form = {"grant_type": JWT_BEARER, "assertion": self.assertion}
        return (yield from _granted(found, registration, form, scope))


@dataclass(frozen=True, slots=True)
class Enterprise:
    """A person's sign-in at their company, exchanged there for one at the server (CL-61).

    id_token: of the person, from the identity provider whose `token_endpoint` is given;
    `identity_client_id` is this program there, `client_id` and `client_secret` at the server.
    """

    extension: ClassVar[str | None] = "io.modelcontextprotocol/enterprise-managed-authorization"

    token_endpoint: str
    identity_client_id: str
    id_token: str = field(repr=False)
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    issuer: str | None = None

    def tokens(
        self, request: SignInRequest, found: Found, scope: tuple[str, ...], senses: Senses
    ) -> Talk[tuple[Registration, TokenAnswer]]:
        """RFC 8693 at the identity provider, then RFC 7523 at the server."""
        assertion = yield from self._assertion(request, found, scope)
        registration = _given(found, self.client_id, self.client_secret)
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        return (yield from _granted(found, registration, form, scope))

    def _assertion(self, request: SignInRequest, found: Found, scope: tuple[str, ...]) -> Talk[str]:
        endpoint = checked_url(self.token_endpoint, what="identity provider", request=request)
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "requested_token_type": ID_JAG,
            "audience": found.metadata.issuer,
            "resource": found.resource or request.server_url,
            "subject_token": self.id_token,
            "subject_token_type": ID_TOKEN,
        }
        if scope:
            form["scope"] = format_scope(scope)
        there = Registration(endpoint, self.identity_client_id, "none", "given")
        reply = yield token_request(endpoint, there, form)
        if reply.status != 200:
            raise read_refusal(reply, endpoint, request.server_url)
        answer = read_json_object(reply.body) or {}
        assertion, kind = answer.get("access_token"), answer.get("issued_token_type")
        if kind != ID_JAG or str(answer.get("token_type")).lower() != "n_a":
            raise _no_assertion(endpoint)
        if not isinstance(assertion, str) or not assertion.isprintable():
            raise _no_assertion(endpoint)
        return assertion


def sign_in_as_program(
    request: SignInRequest, hint: Hint, program: Program, senses: Senses, *, account: str
) -> Talk[Credential]:
    """Tokens without a person, and without a refresh token: they are asked for again."""
    found = yield from discover(request, resource_metadata_url=hint.resource_metadata)
    if program.issuer not in (None, found.metadata.issuer):
        raise Untrusted(
            f"The credentials belong to {program.issuer}, not to {found.metadata.issuer}.",
            next_step="Nothing was sent. Pass those of that authorization server.",
        )
    found = bound_if_asked(found, hint, senses)
    scope = request.scope or hint.scope or found.scopes_supported
    registration, answer = yield from program.tokens(request, found, scope, senses)
    asked = (scope, senses.clock(), account)
    return credential_of(request, found, registration, answer, asked)


def build_assertion(program: ClientCredentials, issuer: str, senses: Senses) -> str:
    """A client assertion for one request: the issuer is its only audience (RFC 10070, CL-27)."""
    from mcplatch.jose import signer, thumbprint

    pem = str(program.private_key).encode()
    now = senses.clock()
    claims = {
        "iss": program.client_id,
        "sub": program.client_id,
        "aud": issuer,
        "jti": senses.draw(16).hex(),
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    return signer(program.key_id or thumbprint(pem), pem).sign(claims, typ=ASSERTION_TYPE)


def _given(found: Found, client_id: str, client_secret: str | None) -> Registration:
    offered = found.metadata.token_endpoint_auth_methods_supported
    method = choose_method(offered, has_secret=client_secret is not None)
    return Registration(
        found.metadata.issuer, client_id, method, "given", client_secret=client_secret
    )


def _granted(
    found: Found, registration: Registration, form: dict[str, str], scope: tuple[str, ...]
) -> Talk[tuple[Registration, TokenAnswer]]:
    if scope:
        form["scope"] = format_scope(scope)
    if found.resource is not None:
        form["resource"] = found.resource
    reply = yield from ask(str(found.metadata.token_endpoint), registration, form, found.prover)
    server_url, prover = found.server_url, found.prover
    return registration, read_tokens(reply, registration.issuer, server_url, prover=prover)


def _no_assertion(endpoint: str) -> Untrusted:
    return Untrusted(
        f"{endpoint} gave something else than an identity assertion.",
        next_step="Nothing was sent on. Check the identity provider's settings.",
    )

"""A program that signs in as itself: client credentials with a secret or a signed assertion (RFC
6749 4.4, RFC 7523).
"""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.client.credential import Credential, expiry
from mcplatch.client.discover import discover
from mcplatch.client.register import Registration, choose_method
from mcplatch.client.sign_in import Hint, Senses
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Talk
from mcplatch.client.tokens import client_credentials

ASSERTION_SECONDS = 60
ASSERTION_TYPE = "client-authentication+jwt"


@dataclass(frozen=True, slots=True, repr=False)
class ClientCredentials:
    """A client registered beforehand, with a secret or a private key (ES256, PKCS #8 PEM).

    issuer: the only authorization server it is for; None for the one the MCP server names.
    """

    client_id: str
    client_secret: str | None = None
    private_key: str | None = None
    key_id: str | None = None
    issuer: str | None = None


def sign_in_as_program(
    request: SignInRequest, hint: Hint, program: ClientCredentials, senses: Senses, *, account: str
) -> Talk[Credential]:
    """Tokens for the program itself; no person, no refresh token (CL-60)."""
    found = yield from discover(request, resource_metadata_url=hint.resource_metadata)
    metadata = found.metadata
    scope = request.scope or hint.scope or found.scopes_supported
    method = "private_key_jwt"
    if program.private_key is None:
        method = choose_method(metadata.token_endpoint_auth_methods_supported, has_secret=True)
    registration = Registration(
        metadata.issuer, program.client_id, method, "given", client_secret=program.client_secret
    )
    if program.issuer is not None and program.issuer != metadata.issuer:
        raise _of_another_issuer(program, metadata.issuer)
    assertion = None
    if program.private_key is not None:
        assertion = build_assertion(program, metadata.issuer, senses)
    answer = yield from client_credentials(found, registration, scope, assertion)
    now = senses.clock()
    return Credential(
        server_url=request.server_url,
        account=account,
        issuer=metadata.issuer,
        resource=found.resource,
        token_endpoint=str(metadata.token_endpoint),
        revocation_endpoint=metadata.revocation_endpoint,
        client_id=program.client_id,
        client_secret=None,
        token_endpoint_auth_method=method,
        access_token=answer.access_token,
        refresh_token=None,
        expires_at=expiry(answer, now),
        scope=scope if answer.scope is None else answer.scope,
        obtained_at=now,
        sign_in_at=now,
        request=request,
    )


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


def _of_another_issuer(program: ClientCredentials, issuer: str) -> Exception:
    from mcplatch.client.errors import Untrusted

    return Untrusted(
        f"The client {program.client_id} belongs to {program.issuer}, not to {issuer}.",
        next_step="Nothing was sent. Pass the client of that authorization server.",
    )

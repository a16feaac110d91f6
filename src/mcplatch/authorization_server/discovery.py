"""What the authorization server says about itself, read off the tuples it is made of (RFC 8414)."""

from __future__ import annotations

from mcplatch.authorization_server.client_authentication import METHODS
from mcplatch.authorization_server.grant_types import GRANT_TYPES
from mcplatch.authorization_server.keys import ALGORITHM
from mcplatch.authorization_server.policy import Policy
from mcplatch.protocol.server_metadata import ServerMetadata

AUTHORIZE, TOKEN, REGISTER = "/authorize", "/token", "/register"
REVOKE, INTROSPECT, JWKS = "/revoke", "/introspect", "/jwks.json"


def metadata(policy: Policy) -> ServerMetadata:
    """The metadata of this deployment; only what is switched on is named (AS-9, AS-12)."""
    base = policy.issuer.removesuffix("/")
    methods = tuple(method.NAME for method in METHODS)
    return ServerMetadata(
        issuer=policy.issuer,
        authorization_endpoint=base + AUTHORIZE,
        token_endpoint=base + TOKEN,
        jwks_uri=base + JWKS,
        registration_endpoint=base + REGISTER if policy.dynamic_registration else None,
        revocation_endpoint=base + REVOKE,
        introspection_endpoint=base + INTROSPECT,
        scopes_supported=policy.scopes_supported(),
        response_types_supported=("code",),
        response_modes_supported=("query",),
        grant_types_supported=tuple(grant_type.NAME for grant_type in GRANT_TYPES),
        token_endpoint_auth_methods_supported=methods,
        revocation_endpoint_auth_methods_supported=methods,
        introspection_endpoint_auth_methods_supported=("client_secret_basic",),
        code_challenge_methods_supported=("S256",),
        prompt_values_supported=("none", "login", "consent", "select_account"),
        ui_locales_supported=("en",),
        # No ID token is ever issued, but several clients refuse an OpenID document without these
        # two.
        subject_types_supported=("public",),
        id_token_signing_alg_values_supported=(ALGORITHM,),
        protected_resources=tuple(resource.identifier for resource in policy.resources),
        authorization_response_iss_parameter_supported=True,
        client_id_metadata_document_supported=policy.client_documents,
    )

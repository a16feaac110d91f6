"""A secret in the form body (OAuth 2.1 section 2.4.1, `client_secret_post`)."""

from __future__ import annotations

from mcplatch.authorization_server.client_authentication.credentials import Credentials
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Reason, Refusal

NAME = "client_secret_post"

SECRET_WITHOUT_CLIENT = Reason(
    "client-secret-without-client-id",
    "invalid_request",
    "The parameter client_id is missing.",
    "OAuth 2.1 2.4.1",
)


def present(form: Parameters, authorization: str | None) -> Credentials | Refusal | None:
    """Credentials if the body carries a secret."""
    secret, client_id = form.get("client_secret"), form.get("client_id")
    if secret is None:
        return None
    if client_id is None:
        # With HTTP Basic beside it, the two methods together are what is wrong.
        return Refusal(SECRET_WITHOUT_CLIENT) if authorization is None else Credentials(NAME, "")
    return Credentials(NAME, client_id, secret)

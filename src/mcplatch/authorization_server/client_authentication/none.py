"""Public clients: a `client_id` and nothing to prove it (RFC 7591 section 2, `none`)."""

from __future__ import annotations

from mcplatch.authorization_server.client_authentication.credentials import Credentials
from mcplatch.protocol.parameters import Parameters

NAME = "none"


def present(form: Parameters, authorization: str | None) -> Credentials | None:
    """Credentials if the request names a client and no other method is in use."""
    client_id = form.get("client_id")
    if client_id is None or form.get("client_secret") is not None or authorization is not None:
        return None
    return Credentials(NAME, client_id)

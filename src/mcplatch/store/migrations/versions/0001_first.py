"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Creates every table and index."""
    op.create_table(
        "access_token",
        sa.Column("token_hash", sa.Text(), primary_key=True),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("generation", _WHOLE, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("revoked_at", _WHOLE),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_event",
        sa.Column("at", _WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("event_id", _WHOLE, primary_key=True),
        sa.Column("reason", sa.Text()),
        sa.Column("user_id", sa.Text()),
        sa.Column("client_id", sa.Text()),
        sa.Column("grant_id", sa.Text()),
        sa.Column("resource", sa.Text()),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("detail", sa.Text()),
    )
    op.create_table(
        "authorization_code",
        sa.Column("code_hash", sa.Text(), primary_key=True),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("spent_at", _WHOLE),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bucket",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("full_at", _WHOLE, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("bucket_full_at", "bucket", ["full_at"])
    op.create_table(
        "client",
        sa.Column("client_id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("redirect_uris", sa.Text(), nullable=False),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("token_endpoint_auth_method", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("secret_hash", sa.Text()),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("application_type", sa.Text()),
        sa.Column("client_uri", sa.Text()),
        sa.Column("last_used_at", _WHOLE),
        sa.Column("fetched_at", _WHOLE),
        sa.Column("expires_at", _WHOLE),
        sa.Column("blocked_at", _WHOLE),
        sqlite_with_rowid=False,
    )
    op.create_index("client_expires_at", "client", ["expires_at"])
    op.create_table(
        "deployment",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "grant",
        sa.Column("grant_id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("generation", _WHOLE, nullable=False),
        sa.Column("last_used_at", _WHOLE),
        sa.Column("revoked_at", _WHOLE),
        sa.Column("revoked_because", sa.Text()),
        sa.Column("refresh_hash", sa.Text()),
        sqlite_with_rowid=False,
    )
    op.create_index("grant_client_id", "grant", ["client_id"])
    op.create_index("grant_user_id", "grant", ["user_id"])
    op.create_table(
        "interaction",
        sa.Column("interaction_id", sa.Text(), primary_key=True),
        sa.Column("browser_hash", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_digest", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("redirect_uri_given", sa.Text()),
        sa.Column("state", sa.Text()),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("authenticated_at", _WHOLE),
        sa.Column("answered_at", _WHOLE),
        sa.Column("denied_at", _WHOLE),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.Text(), primary_key=True),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("generation", _WHOLE, nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("confirmed_at", _WHOLE),
        sa.Column("retries", _WHOLE, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "session",
        sa.Column("session_hash", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("authenticated_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("ended_at", _WHOLE),
        sqlite_with_rowid=False,
    )
    op.create_index("session_user_id", "session", ["user_id"])
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), primary_key=True),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("sealed_private", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("active_at", _WHOLE, nullable=False),
        sa.Column("retired_at", _WHOLE),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "user",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("username", sa.Text(), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("locked_at", _WHOLE),
        sqlite_with_rowid=False,
    )

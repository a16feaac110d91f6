"""Alembic migrations, forward only, one transaction each."""

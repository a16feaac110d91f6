"""From a configuration to a running house: the one place that puts the parts together."""

from __future__ import annotations

import base64
import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from mcplatch.authorization_server.clients.registered import configured_client, settle_configured
from mcplatch.authorization_server.house import House, open_house
from mcplatch.authorization_server.limits import Limit
from mcplatch.authorization_server.policy import Lifetimes, Policy, Resource, Scope
from mcplatch.cli.outcome import Exit, Stop
from mcplatch.config import Config, Rate
from mcplatch.config import Lifetimes as ConfiguredLifetimes
from mcplatch.config import Resource as ConfiguredResource
from mcplatch.fetch import Fetch, FetchRules
from mcplatch.moment import digest
from mcplatch.seal import SealBroken
from mcplatch.store import open_store
from mcplatch.store.port import SchemaNewer, StoreDown


def policy_of(config: Config) -> Policy:
    """What rules may know of the configuration."""
    limits = config.limits
    return Policy(
        issuer=config.issuer,
        resources=tuple(_resource(one) for one in config.resources),
        lifetimes=_lifetimes(config.lifetimes),
        operator=config.operator_name,
        dynamic_registration=config.registration.dynamic,
        client_documents=config.registration.documents,
        private_redirect_uris=frozenset(config.registration.private_use_redirects),
        registrations_per_address=_limit("registrations", limits.registrations_per_address),
        registrations_altogether=_limit("registrations", limits.registrations_per_address, 10),
        authorizations_per_address=_limit("authorizations", limits.authorizations_per_address),
    )


def _limit(name: str, rate: Rate, fold: int = 1) -> Limit:
    return Limit(name, rate.times * fold, rate.seconds)


def secret_bytes(config: Config) -> bytes:
    """The secret key as the bytes that it stands for."""
    written = config.secret_key.reveal()
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


@asynccontextmanager
async def house_of(config: Config) -> AsyncIterator[House]:
    """The house of a configuration, with its clients settled; its database closed at the end.

    Raises Stop where the database or the secret key cannot be used.
    """
    rules = FetchRules(
        loopback_hosts=frozenset(config.registration.loopback_document_hosts),
        ca_file=config.registration.document_ca_file,
    )
    with _told(config), holding(config):
        store = open_store(config.database)
        fetch = Fetch(rules, issuer=config.issuer)
        try:
            await settle_configured(
                store,
                (
                    configured_client(
                        one.client_id,
                        name=one.name,
                        redirect_uris=one.redirect_uris,
                        secret=one.secret.reveal() if one.secret else None,
                    )
                    for one in config.clients
                ),
            )
            house = await open_house(
                policy=policy_of(config),
                store=store,
                secret_key=secret_bytes(config),
                fetch=fetch,
            )
            yield house
        finally:
            fetch.close()
            await store.close()


@contextmanager
def holding(config: Config) -> Iterator[None]:
    """Makes this process the only one of ours at an SQLite file. Raises Stop if there is one."""
    if not config.database.startswith("sqlite:///"):
        yield
        return
    file = Path(config.database.removeprefix("sqlite:///") + ".lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Stop(
                f"another process is using {config.database}",
                Exit.SERVER_FAULT,
                next_step="if it is a server that is starting, try again in a moment; else end it",
            ) from None
        yield


@contextlib.contextmanager
def _told(config: Config) -> Iterator[None]:
    """Breakdowns at the start in words for the operator."""
    try:
        yield
    except StoreDown as broken:
        raise Stop(f"the database cannot be used: {broken}", Exit.SERVER_FAULT) from None
    except SchemaNewer as newer:
        raise Stop(str(newer), Exit.SERVER_FAULT) from None
    except SealBroken:
        raise Stop(
            "the secret key is not the one that this database was made with",
            Exit.USAGE,
            next_step="restore the key file; without it a new database is needed",
        ) from None
    except OSError as trouble:
        raise Stop(f"{trouble.filename}: {trouble.strerror}", Exit.SERVER_FAULT) from None


def _resource(resource: ConfiguredResource) -> Resource:
    secret = resource.introspection_secret
    return Resource(
        resource.identifier,
        resource.name,
        tuple(
            Scope(one.name, one.description, one.group, one.baseline, one.ticked, one.tools)
            for one in resource.scopes
        ),
        introspection_secret_hash=digest(secret.reveal()) if secret else None,
        access_token_format=resource.access_token_format,
    )


def _lifetimes(configured: ConfiguredLifetimes) -> Lifetimes:
    return Lifetimes(
        access_token=configured.access_token,
        authorization_code=configured.authorization_code,
        interaction=configured.interaction,
        refresh_idle=configured.refresh_token_idle,
        refresh_absolute=configured.refresh_token_absolute,
        retry=configured.retry_window,
        retry_unconfirmed=configured.unconfirmed_retry_window,
        session=configured.session,
    )

"""Clients that are a metadata document, as command line clients publish it, against `mcplatch serve`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.outside.documents import Site, site
from tests.outside.flow import Wire
from tests.outside.form_browser import Browser, read_page, visit
from tests.outside.served import PERSON, SECRET, Server, make_server
from tests.outside.stack import running

pytestmark = pytest.mark.slow

RESOURCE = "http://localhost:49153/mcp"
MORE = """
[registration]
loopback_document_hosts = ["{host}"]
document_ca_file = "{authority}"
"""
HOSTILE = (
    "another-id",
    "secret",
    "symmetric",
    "no-redirects",
    "html",
    "broken",
    "big",
    "gone",
    "moved",
)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("documents")) as serving:
        yield serving


@pytest.fixture(scope="module")
def server(documents: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    more = MORE.format(host=documents.host, authority=documents.authority)
    made = make_server(folder, f"sqlite:///{folder}/documents.db", RESOURCE, more)
    with running(made.program):
        yield made


@pytest.mark.requirement("AS-46", "AS-60", "AS-61", "AS-63")
def test_a_documented_client_signs_in(documents: Site, server: Server) -> None:
    wire = Wire(server.issuer, RESOURCE, client_id=f"{documents.origin}/good")
    answer = wire.exchange(wire.authorize(PERSON, Browser()))
    assert answer.status == 200
    assert wire.is_active(answer.body["access_token"], SECRET)
    fresh = wire.refresh(answer.body["refresh_token"])
    assert fresh.status == 200
    assert wire.revoke(fresh.body["refresh_token"]).status == 200
    assert documents.asked.count("/good") <= 2


@pytest.mark.requirement("AS-61", "AS-63", "AS-64", "AS-66")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_on_a_page(
    documents: Site, server: Server, name: str
) -> None:
    wire = Wire(server.issuer, RESOURCE, client_id=f"{documents.origin}/{name}")
    outcome = visit(wire.authorization_url("v" * 43), PERSON)
    assert outcome.redirect == ""
    assert outcome.steps[-1].startswith("400 "), outcome
    assert f"/{name}" in documents.asked


@pytest.mark.requirement("AS-148")
def test_a_name_is_text_and_nothing_else(documents: Site, server: Server) -> None:
    wire = Wire(server.issuer, RESOURCE, client_id=f"{documents.origin}/script")
    browser = Browser()
    assert wire.authorize(PERSON, browser).code
    page = browser.fetch(wire.authorization_url("v" * 43))
    while page.status in {302, 303}:
        page = browser.fetch(urljoin(page.url, page.headers["location"]))
    assert "<script" not in page.body.lower()
    assert "alert(1)" in " ".join(read_page(page).text)


@pytest.mark.requirement("AS-62")
def test_other_loopback_hosts_are_not_asked(
    documents: Site, server: Server, tmp_path: Path
) -> None:
    with site(tmp_path) as elsewhere:
        wire = Wire(server.issuer, RESOURCE, client_id=f"{elsewhere.origin}/good")
        outcome = visit(wire.authorization_url("v" * 43), PERSON)
        assert outcome.redirect == ""
        assert elsewhere.asked == []

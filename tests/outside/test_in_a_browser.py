"""A web app in a real Chromium: CORS, the CSP of our pages and the redirect, as only a browser sees them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfile

import pytest

from tests.browser.chromium import chromium
from tests.outside.stack import Target
from tests.outside.toolbox import MODULES, PROGRAMS

pytestmark = pytest.mark.slow


class Files(SimpleHTTPRequestHandler):
    """Serves one folder, quietly."""

    extensions_map = {".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript"}

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def app(programs: None, tmp_path: Path) -> Iterator[str]:
    """The origin of the app: its page, its program, the library it uses."""
    page = '<!doctype html><script type="module" src="/app.mjs"></script><pre id="result"></pre>'
    (tmp_path / "app.html").write_text(page)
    copyfile(PROGRAMS / "browser_app.mjs", tmp_path / "app.mjs")
    copyfile(MODULES / "oauth4webapi" / "build" / "index.js", tmp_path / "oauth4webapi.js")
    serve = partial(Files, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.requirement("AS-13", "AS-20", "AS-27", "AS-28", "AS-108", "RS-28", "RS-87")
def test_an_app_in_a_browser(app: str, target: Target) -> None:
    """From the 401 to a call, a refresh and a revocation, all by fetch from another origin."""
    said: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{app}/app.html?resource={target.resource}")
        page.locator("input[type=password]").fill(target.password)
        page.locator("input[type=text], input:not([type])").first.fill(target.username)
        page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
        page.get_by_role("button", name=re.compile("^(allow|approve)", re.IGNORECASE)).click()
        page.locator("#result:not(:empty)").wait_for()
        result = json.loads(page.locator("#result").inner_text())
    assert "trouble" not in result, (result, said)
    assert result["status"] == 401
    assert "resource_metadata=" in result["named"]
    assert result["called"] == 200
    assert result["session"]
    refusals = ("cors policy", "content security policy")
    assert not [line for line in said if any(word in line.lower() for word in refusals)], said

"""One of several programs that share a sign-in: asks the MCP server once, says what it got."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2

from mcplatch.client.auth import LatchAuth
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.wallet import Wallet


def main() -> None:
    directory, url = sys.argv[1:]
    wallet = Wallet(Path(directory), find_keyring=lambda: None)
    auth = LatchAuth(SignInRequest(url), wallet, interactive=False)
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    print("ready", flush=True)
    sys.stdin.readline()
    with httpx2.Client(auth=auth, timeout=30) as http:
        headers = {"accept": "application/json, text/event-stream"}
        print(http.post(url, json=body, headers=headers).status_code, flush=True)


if __name__ == "__main__":
    main()

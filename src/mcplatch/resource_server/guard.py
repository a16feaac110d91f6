"""The guard: one outermost ASGI layer that lets in who holds the right token (RFC 6750, 9728)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from mcplatch.policy.policy import Policy
from mcplatch.policy.rules import DENIED, PUBLIC, Requirement
from mcplatch.protocol.jsonrpc import Message, is_stateless
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.resource_metadata import ResourceMetadata, well_known_urls
from mcplatch.resource_server import replies
from mcplatch.resource_server.addresses import check_resource, check_secure, make_doors
from mcplatch.resource_server.admission import Admissions
from mcplatch.resource_server.asking import NOTHING, Asked, read_asked, worth_peeking
from mcplatch.resource_server.body import Receive, Send, replay
from mcplatch.resource_server.cross_origin import answer_headers, preflight
from mcplatch.resource_server.documents import resource_documents, serve
from mcplatch.resource_server.heads import Headers, Heads
from mcplatch.resource_server.identity import CURRENT
from mcplatch.resource_server.lifespan import Lifespan
from mcplatch.resource_server.options import App, Options, Scope
from mcplatch.resource_server.outgoing import Filtering, Outgoing, run_until_expiry
from mcplatch.resource_server.replies import Replies, Reply
from mcplatch.resource_server.token_cache import Admission, TokenCache
from mcplatch.resource_server.verdict import Invalid, Unavailable, Verifier


class Guard:
    """Protects `app`, every path of it, as the one resource `resource`.

    resource: its URL exactly as clients are given it. authorization_servers: the issuers its
    metadata names, exactly as they call themselves. Raises ValueError when an address cannot be
    used. The order of checks is Host and Origin, token, body, headers, scope (RS-83).
    """

    def __init__(
        self,
        app: App,
        *,
        resource: str,
        authorization_servers: Iterable[str],
        verifier: Verifier,
        policy: Policy,
        options: Options | None = None,
    ) -> None:
        chosen = options or Options()
        issuers = tuple(map(check_secure, authorization_servers))
        if not issuers:
            raise ValueError("a guard needs an authorization server to send people to (RFC 9728)")
        self.app = app
        self.resource = check_resource(resource)
        self.policy = policy
        self.options = chosen
        self.cache = TokenCache(chosen.most_cached_tokens)
        self._lifespan = Lifespan(chosen.checks, verifier.aclose)
        self._admissions = Admissions(
            verifier,
            bind=chosen.bind,
            cache=self.cache,
            clock=chosen.clock,
            shows_token=chosen.keep_token,
        )
        self._replies = Replies(well_known_urls(resource)[0])
        self._doors = make_doors(
            resource, hosts=chosen.allowed_hosts, origins=chosen.allowed_origins
        )
        self._documents = {
            **chosen.documents,
            **resource_documents(self._metadata(issuers), root=chosen.root_metadata),
        }
        self._endpoint = urlsplit(resource).path.rstrip("/")
        self._filters = policy.filters_lists()
        self._unseen = _unseen_headers(chosen, filters=self._filters)

    def _mirrored(self, scope: Scope) -> bool:
        """Whether a request is one of Streamable HTTP; those of SSE go to an address beside it."""
        return str(scope["path"]).rstrip("/") == self._endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan.run(self.app, scope, receive, send)
        else:
            # Nothing of MCP speaks WebSocket here, and what is not guarded is not let through.
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_within(scope)
        document = self._documents.get(path) or self._documents.get(scope["path"])
        if document is not None:
            await serve(document, scope["method"], send)
            return
        if path in self.options.open_paths:
            await self.app(scope, receive, send)
            return
        if not self._lifespan.checked:
            await self._lifespan.check_late(scope)
        heads = Heads(scope["headers"], self._unseen)
        origin = heads.only(b"origin")
        wrong = self._at_the_door(heads, origin)
        if wrong is not None:
            await wrong.send(send, head=scope["method"] == "HEAD")
            return
        cors = answer_headers(origin) if origin is not None else None
        if scope["method"] == "OPTIONS":
            await preflight(scope["headers"]).send(send, more=cors)
            return
        reply = await self._guarded(scope, receive, send, heads, cors)
        if reply is not None:
            await reply.send(send, more=cors, head=scope["method"] == "HEAD")

    def _at_the_door(self, heads: Heads, origin: str | None) -> Reply | None:
        host = heads.only(b"host")
        if host is None or not self._doors.admits_host(host):
            return replies.wrong_door(421, replies.FOREIGN_HOST)
        if heads.has(b"origin") and (origin is None or not self._doors.admits_origin(origin)):
            return replies.wrong_door(403, replies.FOREIGN_ORIGIN)
        return None

    async def _guarded(
        self, scope: Scope, receive: Receive, send: Send, heads: Heads, cors: Headers | None
    ) -> Reply | None:
        """Serves the request, or says what to answer instead."""
        caller = await self._admissions.caller(heads.all(b"authorization"), scope["query_string"])
        if isinstance(caller, Refusal):
            return self._replies.malformed(caller.reason, self.policy.first_scopes())
        if isinstance(caller, Unavailable):
            return replies.unavailable(caller.retry_after, None)
        asked = await self._asked(scope, receive, heads, caller)
        requirement = self._requirement(scope, asked)
        if isinstance(caller, Admission):
            if asked.refusal is not None:
                return replies.bad_message(asked.refusal, asked.message)
            reply = self._shortfall(caller, requirement, asked.message)
            if reply is not None:
                return reply
            await self._pass(scope, receive, send, caller, asked, heads, cors)
            return None
        if caller is None and requirement.access is PUBLIC and asked.refusal is None:
            await self._pass(scope, receive, send, None, asked, heads, cors)
            return None
        wanted = requirement.scope or self.policy.first_scopes()
        if caller is None:
            return self._replies.sign_in(wanted, asked.message)
        return self._replies.bad_token(caller.reason, wanted, asked.message)

    async def _asked(
        self, scope: Scope, receive: Receive, heads: Heads, caller: Admission | Invalid | None
    ) -> Asked:
        if path_within(scope) in self.options.plain_paths:
            return NOTHING
        may_pass = isinstance(caller, Admission) or (caller is None and self.policy.is_mixed)
        most = self.options.most_body_bytes if may_pass else worth_peeking(heads)
        asked = await read_asked(scope, receive, heads, most=most, mirrored=self._mirrored(scope))
        learn, message = self.options.learn, asked.message
        if learn is not None and may_pass and message is not None:
            name = message.name
            if message.method == "tools/call" and name and name not in self.policy.declared:
                await learn(scope, name)
        return asked

    def _requirement(self, scope: Scope, asked: Asked) -> Requirement:
        if asked.message is not None:
            return self.policy.requirement(asked.message.method, asked.message.name)
        if asked.refusal is not None or path_within(scope) in self.options.plain_paths:
            return self.policy.others
        return self.policy.requirement("", None)

    def _shortfall(
        self, admission: Admission, requirement: Requirement, asked: Message | None
    ) -> Reply | None:
        if requirement.access is DENIED:
            return replies.not_allowed(asked)
        missing = self.policy.missing(requirement, admission.granted)
        if not missing:
            return None
        name = replies.shown(asked.name or asked.method) if asked else "This"
        sentence = self.policy.sentence(name or "This", missing)
        if self.options.tool_result_challenges and asked and asked.method == "tools/call":
            return self._replies.missing_scope_result(sentence, requirement.scope, asked)
        return self._replies.missing_scope(sentence, requirement.scope, asked)

    async def _pass(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        admission: Admission | None,
        asked: Asked,
        heads: Heads,
        cors: Headers | None,
    ) -> None:
        """Runs the application with the caller's identity, and without the caller's token."""
        identity = admission.identity if admission is not None else None
        if admission is not None:
            scope.update(admission.bound)
        scope["mcplatch.identity"] = identity
        scope["headers"] = self._seen(heads)
        out = Outgoing(
            send,
            cors=cors,
            private=admission is not None,
            filtering=self._filtering(admission, asked.message, heads),
            ends_in=self._ends_in(admission, asked.message),
        )
        again = receive if asked.body is None else replay(asked.body, receive)
        reset = CURRENT.set((identity, asked.message.method if asked.message else ""))
        try:
            await run_until_expiry(self.app, scope, again, out)
        finally:
            CURRENT.reset(reset)

    def _seen(self, heads: Heads) -> Headers:
        """The request headers for the application: without the token, which is not meant for it."""
        shown = self.options.shown_authorization
        if shown is not None and not self.options.keep_token and heads.has(b"authorization"):
            heads.kept.append((b"authorization", shown))
        return heads.kept

    def _ends_in(self, admission: Admission | None, asked: Message | None) -> float | None:
        """Seconds a stream may last: a call may be finished, listening ends with the token."""
        if admission is None:
            return None
        left = admission.identity.expires_at - self.options.clock()
        named = asked is not None and asked.name is not None
        return max(left + (self.options.call_grace if named else 0.0), 0.0)

    def _filtering(
        self, admission: Admission | None, asked: Message | None, heads: Heads
    ) -> Filtering | None:
        """A list comes as the answer that asked for it, or on a stream that nothing asked for."""
        if not self._filters or (asked is not None and asked.method != "tools/list"):
            return None
        granted = admission.granted if admission is not None else None
        return Filtering(
            lists=lambda tool: self.policy.lists(tool, granted),
            stateless=is_stateless(heads.only(b"mcp-protocol-version")),
            whole=asked is not None,
        )

    def _metadata(self, issuers: tuple[str, ...]) -> ResourceMetadata:
        chosen = self.options
        supported = chosen.scopes_supported
        return ResourceMetadata(
            resource=self.resource,
            authorization_servers=issuers,
            scopes_supported=self.policy.connect if supported is None else supported,
            resource_name=chosen.resource_name,
            resource_documentation=chosen.resource_documentation,
        )


def _unseen_headers(options: Options, *, filters: bool) -> frozenset[bytes]:
    """What the application is not shown: the token, and any wish for a body we cannot read."""
    token = set() if options.keep_token else {b"authorization"}
    return frozenset(token | ({b"accept-encoding"} if filters else set()))


def path_within(scope: Scope) -> str:
    """The path as the application's own routes see it: without the prefix it is mounted under."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    within = path.removeprefix(root) if root else path
    return within if within.startswith("/") else path

"""A person's way through an authorization request: sign in, answer, go back (OAuth 2.1 4.1).

Every address here can be loaded twice, from the history, in two tabs: what it shows depends only on
what is known (`steps.next_step`), never on the request before.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from mcplatch.authorization_server import authorize, consent, sessions, steps
from mcplatch.authorization_server.login import password
from mcplatch.authorization_server.question import Question, read_question
from mcplatch.authorization_server.steps import Browser, Step
from mcplatch.moment import digest
from mcplatch.protocol.authorization import ReturnTo, error_response
from mcplatch.protocol.parameters import Parameters, parse_form
from mcplatch.protocol.redirect_uri import is_loopback
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import Client, Interaction
from mcplatch.store.port import Transaction
from mcplatch.web import answers, forms
from mcplatch.web.cookies import ROOM_S
from mcplatch.web.front import Front, address_of, refused_form
from mcplatch.web.views import Ended, NotHere

GONE = 410
WRONG = "The user name or the password is wrong"


@dataclass(frozen=True, slots=True)
class Standing:
    """An interaction as a browser finds it: its step, and what that step needs to be shown."""

    step: Step
    facts: steps.Facts
    now: int
    question: Question | None = None
    code: str | None = None


async def begin(request: Request, front: Front) -> Response:
    """`/authorize`: start an interaction, or say why not. Changes nothing else (AS-20 to AS-26)."""
    form = await _asked(request)
    if isinstance(form, Refusal):
        view = answers.no_redirect_view(authorize.ShownOnly(form.reason))
        return front.page(view, form.reason.status)
    secret = front.secret()
    outcome = await authorize.begin(
        form, front.house, browser_hash=digest(secret), address=address_of(request)
    )
    if isinstance(outcome, authorize.ShownOnly):
        view = answers.no_redirect_view(outcome)
        # 401 would need a challenge, and clients take 400 to mean that they must register anew.
        return front.page(view, 400 if outcome.reason.status == 401 else outcome.reason.status)
    if isinstance(outcome, authorize.SentBack):
        return await _tell(request, front, outcome.client, outcome.reason, outcome.return_to)
    interaction = outcome.interaction
    if "none" in interaction.prompt:
        signed_in = await front.signed_in(request)
        reason = steps.LOGIN_REQUIRED if signed_in is None else steps.CONSENT_REQUIRED
        return await _tell(request, front, outcome.client, reason, _return_to(interaction, front))
    response = front.go(answers.path_of(front.base, interaction.interaction_id))
    front.cookies.drop_surplus(request, response)
    front.cookies.set(
        response,
        front.cookies.interaction(interaction.interaction_id),
        secret,
        seconds=front.house.policy.lifetimes.interaction + ROOM_S,
    )
    return response


async def show(request: Request, front: Front) -> Response:
    """The page of an interaction's next step."""
    interaction_id = request.path_params["interaction_id"]
    browser = front.browser(request, interaction_id)
    if browser is None:
        return await _not_here(interaction_id, front)
    return await _shown(request, front, browser, await _stand(front, interaction_id, browser))


async def back_to_interaction(request: Request, front: Front) -> Response:
    """A form's address opened without the form."""
    return front.go(answers.path_of(front.base, request.path_params["interaction_id"]))


async def take_password(request: Request, front: Front) -> Response:
    """Sign in for an interaction."""
    interaction_id = request.path_params["interaction_id"]
    browser = front.browser(request, interaction_id)
    if browser is None:
        return await _not_here(interaction_id, front)
    token = forms.csrf_token(browser.interaction_secret, "password", interaction_id)
    form = await forms.read_own_form(request, origin=front.origin, token=token)
    onward = answers.path_of(front.base, interaction_id)
    if isinstance(form, Refusal):
        return refused_form(form, front, onward)
    standing = await _stand(front, interaction_id, browser)
    if not isinstance(standing.step, steps.AskLogin | steps.AskConsent):
        return await _shown(request, front, browser, standing)
    asked = password.parse(form)
    place = password.Place(browser.session_secret, browser.address, interaction_id)
    outcome = await password.sign_in(asked, place, front.house, front.passwords)
    if isinstance(outcome, password.SignedInNow):
        response = front.go(onward)
        front.cookies.set(response, front.cookies.session, outcome.secret)
        return response
    waiting = outcome.seconds if isinstance(outcome, password.Wait) else 0
    view = answers.sign_in_view(
        standing.step.interaction,
        standing.step.client,
        browser.interaction_secret,
        front.house.policy,
        front.base,
        username=asked.username,
        problem="" if waiting else WRONG,
        wait_seconds=waiting,
    )
    return sign_in_refused(front.page(view), waiting)


async def take_consent(request: Request, front: Front) -> Response:
    """A person's answer. The way back is a page, so that `form-action 'self'` can stay (AS-28)."""
    interaction_id = request.path_params["interaction_id"]
    browser = front.browser(request, interaction_id)
    if browser is None:
        return await _not_here(interaction_id, front)
    standing = await _stand(front, interaction_id, browser)
    signed_in = standing.facts.signed_in
    user_id = signed_in.user.user_id if signed_in else ""
    token = forms.csrf_token(browser.interaction_secret, "consent", interaction_id, user_id)
    form = await forms.read_own_form(
        request, origin=front.origin, token=token, repeatable=frozenset({"scope"})
    )
    if isinstance(form, Refusal):
        return refused_form(form, front, answers.path_of(front.base, interaction_id))
    outcome = await consent.answer(
        consent.parse(form), interaction_id, browser, front.house, user_id=user_id
    )
    return await _answered(request, front, browser, outcome, standing)


async def another_account(request: Request, front: Front) -> Response:
    """Sign out, and ask again who it is."""
    interaction_id = request.path_params["interaction_id"]
    browser = front.browser(request, interaction_id)
    if browser is None:
        return await _not_here(interaction_id, front)
    onward = answers.path_of(front.base, interaction_id)
    token = forms.csrf_token(browser.interaction_secret, "another-account", interaction_id)
    form = await forms.read_own_form(request, origin=front.origin, token=token)
    if isinstance(form, Refusal):
        return refused_form(form, front, onward)
    await front.house.store.settle(
        lambda t: sessions.sign_out(t, browser.session_secret, address=browser.address)
    )
    response = front.go(onward)
    front.cookies.drop(response, front.cookies.session)
    return response


def sign_in_refused(response: Response, waiting: int) -> Response:
    """The sign-in page again: 200, because the page is the answer; 429 when it is too soon."""
    if waiting:
        response.status_code = 429
        response.headers["retry-after"] = str(waiting)
    return response


async def _asked(request: Request) -> Parameters | Refusal:
    if request.method == "POST":
        return await forms.read_form(request, repeatable=frozenset({"resource"}))
    return parse_form(request.scope["query_string"])


async def _stand(front: Front, interaction_id: str, browser: Browser) -> Standing:
    policy = front.house.policy

    def look(transaction: Transaction) -> Standing:
        facts = steps.read(transaction, interaction_id, browser)
        step, now = steps.next_step(facts, transaction.now), transaction.now
        if isinstance(step, steps.AskConsent):
            return Standing(step, facts, now, read_question(transaction, step, policy))
        if isinstance(step, steps.Answered):
            code = consent.live_code(transaction, step.interaction, browser)
            return Standing(step, facts, now, code=code)
        return Standing(step, facts, now)

    return await front.house.store.look(look)


async def _shown(request: Request, front: Front, browser: Browser, standing: Standing) -> Response:
    step, policy = standing.step, front.house.policy
    secret, app = browser.interaction_secret, _app(standing.facts)
    match step:
        case steps.Ended():
            return front.page(Ended(), GONE)
        case steps.Changed():
            return front.page(answers.changed_view(app), 400)
        case steps.Refuse(interaction, client, reason):
            return await _tell(request, front, client, reason, _return_to(interaction, front))
        case steps.Answered(interaction):
            return _closed(front, interaction, app, standing.code)
        case steps.AskLogin(interaction, client, again):
            view = answers.sign_in_view(
                interaction, client, secret, policy, front.base, again=again
            )
            return front.page(view)
        case steps.AskConsent():
            if standing.question is None:
                return front.page(answers.changed_view(app), 400)
            return front.page(
                answers.consent_view(standing.question, secret, front.base, standing.now)
            )


async def _answered(
    request: Request, front: Front, browser: Browser, outcome: consent.Outcome, standing: Standing
) -> Response:
    policy, app = front.house.policy, _app(standing.facts)
    match outcome:
        case consent.Allowed(interaction, code):
            address = answers.code_address(interaction, code, policy)
            return front.page(answers.returning_view(interaction, app, address))
        case consent.Denied(interaction):
            address = answers.error_address(interaction, steps.ACCESS_DENIED, policy)
            return front.page(answers.denied_view(interaction, app, address, policy, front.base))
        case consent.AskAgain(asked, refusal, answer):
            view = answers.consent_view(
                asked,
                browser.interaction_secret,
                front.base,
                standing.now,
                answer=answer,
                problem=refusal.reason.sentence.rstrip("."),
            )
            return front.page(view)
        case consent.Elsewhere(steps.Answered(interaction), code):
            return _closed(front, interaction, app, code)
        case consent.Elsewhere():
            return front.go(answers.path_of(front.base, request.path_params["interaction_id"]))


def _closed(front: Front, interaction: Interaction, app: str, code: str | None) -> Response:
    policy = front.house.policy
    address = None if code is None else answers.code_address(interaction, code, policy)
    return front.page(answers.answered_view(interaction, app, address, front.base))


async def _tell(
    request: Request, front: Front, client: Client, reason: Reason, return_to: ReturnTo
) -> Response:
    """Tell the client no by redirect, unless that would let a stranger bounce people (AS-26)."""
    trusted = client.kind == "registered" or is_loopback(return_to.redirect_uri)
    if trusted or await front.signed_in(request) is not None:
        return front.go(error_response(return_to, reason))
    return front.page(answers.held_view(client, reason, return_to), 400)


async def _not_here(interaction_id: str, front: Front) -> Response:
    """A browser without the interaction's cookie: another one, or this one after its time."""
    known, now = await front.house.store.look(
        lambda t: (t.one(Interaction, interaction_id=interaction_id), t.now)
    )
    if known is None or known.expires_at <= now:
        return front.page(Ended(), GONE)
    view = NotHere(
        "This page belongs to another browser",
        "The sign-in was started in a different browser or a private window, or cookies are off.",
        "Go back to the app and start again, in the browser you want to use. "
        "Cookies must be on for this site.",
    )
    return front.page(view, 403)


def _app(facts: steps.Facts) -> str:
    return facts.client.client_name if facts.client else ""


def _return_to(interaction: Interaction, front: Front) -> ReturnTo:
    return ReturnTo(interaction.redirect_uri, interaction.state, front.house.policy.issuer)

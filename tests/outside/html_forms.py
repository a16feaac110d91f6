"""What a person can see and press on a page: its forms, its meta refresh, its words (HTML 4.10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

ALLOW = re.compile(r"\b(allow|approve|authori[sz]e|accept)\b", re.IGNORECASE)
DENY = re.compile(r"\b(deny|decline|refuse|reject|cancel)\b|don.t allow", re.IGNORECASE)
NOT_SENT = frozenset({"submit", "image", "button", "reset", "file"})


@dataclass(slots=True)
class Control:
    kind: str
    name: str = ""
    value: str = ""
    checked: bool = False
    label: str = ""
    action: str | None = None


@dataclass(slots=True)
class Form:
    action: str
    method: str
    controls: list[Control] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects the forms, the meta refresh and the visible text of one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.by_id: dict[str, Form] = {}
        self.refresh = ""
        self.text: list[str] = []
        self._form: Form | None = None
        self._button: Control | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
            self.by_id[given.get("id", "")] = self._form
        elif tag in {"input", "button"} and "disabled" not in given:
            self._control(tag, given)
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.refresh = given.get("content", "").partition("=")[2].strip(" '\"")
        elif tag in {"script", "style"}:
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag in {"script", "style"}:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.label += data
        if not self._hidden and data.strip():
            self.text.append(" ".join(data.split()))

    def _control(self, tag: str, given: dict[str, str]) -> None:
        form = self.by_id.get(given["form"]) if "form" in given else self._form
        kind = given.get("type", "submit" if tag == "button" else "text").lower()
        value = given.get("value", "on" if kind in {"checkbox", "radio"} else "")
        label = given.get("aria-label", "") or (value if tag == "input" else "")
        control = Control(
            kind, given.get("name", ""), value, "checked" in given, label, given.get("formaction")
        )
        self._button = control if tag == "button" else None
        if form is not None:
            form.controls.append(control)


def has_password(form: Form) -> bool:
    return any(control.kind == "password" for control in form.controls)


def wanted_button(form: Form, *, deny: bool) -> Control | None:
    """Find the control that answers; "Don't allow" holds the word allow and still denies."""
    for control in form.controls:
        if control.kind in {"submit", "image"}:
            denies = DENY.search(control.label) is not None
            if denies if deny else (ALLOW.search(control.label) and not denies):
                return control
    return None


def is_ticked(control: Control, tick: str) -> bool:
    if tick in {"as shown", ""}:
        return control.checked
    if tick in {"all", "none"}:
        return tick == "all"
    return control.value in tick.split(",")


def sent_as_shown(form: Form, tick: str = "as shown") -> Iterator[tuple[str, str]]:
    """Yield what a browser sends for all but the buttons, the boxes ticked as `tick` says."""
    for control in form.controls:
        if not control.name or control.kind in NOT_SENT:
            continue
        if control.kind == "checkbox":
            if is_ticked(control, tick):
                yield control.name, control.value
        elif control.kind != "radio" or control.checked:
            yield control.name, control.value


def signed_in_with(form: Form, username: str, password: str) -> list[tuple[str, str]]:
    """Give what is sent when the password and the first field for a name are typed in."""
    field_for_name = next((c.name for c in form.controls if c.kind in {"text", "email"}), None)
    passwords = {c.name for c in form.controls if c.kind == "password"}
    typed = dict.fromkeys(passwords, password)
    if field_for_name is not None:
        typed[field_for_name] = username
    return [(name, typed.get(name, value)) for name, value in sent_as_shown(form)]

"""What a browser without scripts sees in an HTML page: forms, their controls, a meta refresh."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

_TICKS = frozenset({"checkbox", "radio"})
_PRESSED = frozenset({"submit", "image"})
_UNSENT = frozenset({"button", "reset", "file"})
_REFRESH = re.compile(r"^\s*[\d.]+\s*[;,]\s*url\s*=\s*['\"]?(?P<url>[^'\"]+)", re.IGNORECASE)


@dataclass(slots=True)
class Control:
    """One control of a form; `label` is what a person reads on a button."""

    name: str
    value: str
    kind: str
    ticked: bool = True
    label: str = ""


@dataclass(slots=True)
class Form:
    """A form as it stands in the page."""

    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    @property
    def asks_password(self) -> bool:
        return any(control.kind == "password" for control in self.controls)

    def button(self, words: str) -> Control | None:
        """The first submit control whose label or value matches the regular expression `words`."""
        for control in self.controls:
            said = f"{control.label} {control.value} {control.name}"
            if control.kind in _PRESSED and re.search(words, said, re.IGNORECASE):
                return control
        return None

    def sent(
        self,
        typed: Mapping[str, str],
        pressed: Control | None,
        ticks: Collection[str] = (),
    ) -> list[tuple[str, str]]:
        """The fields a browser sends: what was `typed` by name, else what the page filled in.

        A box is sent when the page ticked it or when its value is among `ticks`.
        """
        fields: list[tuple[str, str]] = []
        for control in self.controls:
            if not control.name or control.kind in _UNSENT:
                continue
            if control.kind in _PRESSED:
                if control is pressed:
                    fields.append((control.name, control.value))
            elif control.ticked or (control.kind == "checkbox" and control.value in ticks):
                fields.append((control.name, typed.get(control.name, control.value)))
        return fields


@dataclass(slots=True)
class Page:
    """What was found in a page; `text` is what a person reads, white space made single."""

    title: str = ""
    text: str = ""
    refresh: str = ""
    forms: list[Form] = field(default_factory=list)


def read_page(html: str) -> Page:
    """The forms, the meta refresh address and the words of an HTML page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.text = " ".join("".join(reader.words).split())
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.words: list[str] = []
        self._form: Form | None = None
        self._button: Control | None = None
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                method = given.get("method", "get").lower()
                self._form = Form(given.get("action", ""), method)
                self.page.forms.append(self._form)
            case "input" | "button" | "select" | "textarea":
                self._control(tag, given)
            case "option":
                self._option(given)
            case "meta" if given.get("http-equiv", "").lower() == "refresh":
                found = _REFRESH.match(given.get("content", ""))
                self.page.refresh = found["url"].strip() if found else ""
            case "title" | "script" | "style":
                self._inside = tag
            case _:
                self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag == self._inside:
            self._inside = ""
        else:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.page.title += data.strip()
        elif not self._inside:
            self.words.append(data)
            if self._button is not None:
                self._button.label = f"{self._button.label} {data.strip()}".strip()

    def _control(self, tag: str, given: dict[str, str]) -> None:
        if self._form is None or "disabled" in given:
            return
        kind = given.get("type", "submit" if tag == "button" else "text").lower()
        value = given.get("value", "on" if kind in _TICKS else "")
        control = Control(given.get("name", ""), value, kind, kind not in _TICKS)
        if kind in _TICKS:
            control.ticked = "checked" in given
        self._form.controls.append(control)
        self._button = control if tag == "button" else None

    def _option(self, given: dict[str, str]) -> None:
        if self._form is not None and self._form.controls and "selected" in given:
            self._form.controls[-1].value = given.get("value", "")

"""Tells the story in the terminal, one line a step, and remembers which steps really happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcplatch.demo.steps import Step, recognise
from mcplatch.demo.tap import Exchange

WIDTH = 100
REFUSALS = frozenset(
    {"refused", "wrong-password", "needs-more", "token-refused", "token-dead", "refresh-refused"}
)


class Narrator:
    """Hears every exchange of both servers; a step is told once an act."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, WIDTH)
        self._act = ""
        self._told: list[tuple[str, str]] = []
        self._more = asyncio.Event()
        plain = not (console.encoding or "").lower().startswith("utf")
        self._yes, self._no = ("ok", "no") if plain else ("✓", "✗")

    def title(self, name: str, about: str) -> None:
        """The first line."""
        self._console.print(Text.assemble((name, "bold"), ("  ·  ", "dim"), (about, "dim")))

    def act(self, number: int, title: str) -> None:
        """Begin a new act of the story."""
        self._act = title
        self._console.print()
        self._console.print(Text(f"{number}  {title}", style="bold"))

    def hear(self, exchange: Exchange) -> None:
        """Tell what an exchange means, if it is a step and not told in this act yet."""
        step = recognise(exchange)
        if step is None or (self._act, step.name) in self._told:
            return
        self._told.append((self._act, step.name))
        self._line(step, step.says(exchange))
        self._more.set()

    def say(self, text: str, style: str = "") -> None:
        """A line of the story that is no step."""
        self._console.print(Text(f"     {text}", style=style), width=self._width, soft_wrap=True)

    def answer(self, text: str) -> None:
        """What a tool answered."""
        self._console.print(Text(f"     → {text}", style="cyan"), width=self._width)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and values, one a line."""
        for name, value in pairs:
            line = Text.assemble((f"  {name:<22}", "dim"), value)
            self._console.print(line, soft_wrap=True)

    def missing(self, act: str, *names: str) -> list[str]:
        """Those of `names` that have not happened in `act`."""
        return [name for name in names if (act, name) not in self._told]

    async def wait_for(self, act: str, name: str) -> None:
        """Until the step `name` has been told in `act`."""
        while (act, name) not in self._told:
            self._more.clear()
            await self._more.wait()

    def verdict(self, missing: list[str], steps: int) -> None:
        """The last line of a story that played itself."""
        self._console.print()
        if missing:
            self._console.print(
                Text(f"{self._no}  did not happen: {', '.join(missing)}", "bold red")
            )
        else:
            said = f"{self._yes}  all {steps} steps happened, each checked on a real answer"
            self._console.print(Text(said, "bold green"))

    def _line(self, step: Step, text: str) -> None:
        refusal = step.name in REFUSALS
        row = Table.grid(padding=(0, 1))
        row.width = self._width
        row.add_column(width=4, justify="right")
        row.add_column(ratio=1)
        row.add_column(justify="right", no_wrap=True)
        mark = Text(self._no, "yellow") if refusal else Text(self._yes, "green")
        row.add_row(mark, Text(text), Text(step.source, "dim"))
        self._console.print(row)

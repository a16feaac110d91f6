"""`mcplatch check`: verifies the configuration without starting anything."""

from __future__ import annotations

import click

from mcplatch.cli.options import config_option, json_option, loaded
from mcplatch.cli.outcome import tell


@click.command()
@config_option()
@click.option("--explain", is_flag=True, help="Print every value and where it is from.")
@json_option()
def command(file: str | None, explain: bool, as_json: bool) -> None:
    """Verify the configuration; exit code 2 and one line for each mistake."""
    found = loaded(file)
    rows = [
        {"setting": one.setting, "value": one.shown, "source": one.source} for one in found.origins
    ]
    wide = max(len(row["setting"]) for row in rows)
    lines = [f"{row['setting']:<{wide}}  {row['value']}   ({row['source']})" for row in rows]
    notes = [f"note: {note}" for note in found.notes]
    resources = len(found.config.resources)
    summary = f"ok: {found.config.issuer}, {resources} protected server{'s' * (resources != 1)}"
    tell(
        {
            "ok": True,
            "issuer": found.config.issuer,
            "notes": found.notes,
            "settings": rows if explain else [],
        },
        as_json=as_json,
        lines=[*(lines if explain else []), *notes, summary],
    )

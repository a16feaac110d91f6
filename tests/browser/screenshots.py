"""Writes a picture of every page: `python -m tests.browser.screenshots FOLDER [NAME...]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.browser.chromium import ORIGIN, chromium, show_gallery
from tests.browser.gallery import GALLERY

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 900, "height": 700}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 900, "height": 700}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 320, "height": 640}, "color_scheme": "light"},
    "forced": {"viewport": {"width": 900, "height": 700}, "forced_colors": "active"},
}


def main(folder: Path, names: list[str]) -> None:
    """Write `NAME.LOOK.png` for the named pages, or for all."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for look, settings in LOOKS.items():
            context = browser.new_context(java_script_enabled=False, **settings)
            show_gallery(context)
            for name in names or GALLERY:
                tab = context.new_page()
                tab.goto(f"{ORIGIN}/{name}?still")
                tab.screenshot(path=str(folder / f"{name}.{look}.png"), full_page=True)
                tab.close()
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

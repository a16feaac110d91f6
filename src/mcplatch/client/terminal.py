"""Text from servers made safe to print: no escape sequences, no controls, nothing that turns
direction.
"""

from __future__ import annotations

import json
import re
import unicodedata

# CSI, OSC and the short escapes, in their 7-bit and 8-bit forms; whole, so that no tail stays
# behind.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)


def json_text(answer: object) -> str:
    """`answer` as JSON for programs that stays harmless when a person looks at it: what would move
    a terminal or turn direction is escaped, everything else is readable.
    """
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    return "".join(
        f"\\u{ord(c):04x}" if c != "\n" and unicodedata.category(c) in ("Cc", "Cf") else c
        for c in text
    )


def plain(text: str) -> str:
    """`text` on one line."""
    return " ".join(plain_lines(text).split())


def plain_lines(text: str) -> str:
    """`text` with its line breaks and tabs kept and every other control or format character
    gone.
    """
    text = _SEQUENCE.sub("", text.replace("\r\n", "\n"))
    return "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character)[0] != "C"
    )

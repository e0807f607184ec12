"""English that was left in a Chinese text: two words in a row that are no code, no option and no name."""

import re

_NO_SENTENCE = (
    re.compile(r"```.*?```", re.DOTALL),
    re.compile(r"`[^`\n]*`"),
    re.compile(r"^\W*(?:deskroster|curl|t=|openssl) .*$", re.MULTILINE),  # a command in a line of its own
    re.compile(r"deskroster(?: [a-z][a-z-]+)*(?: (?:--?[\w-]+|[A-Z_]+|\{\w+\}|\d+|[\w./-]*/[\w./-]*))*"),
    re.compile(r"openssl rand -hex 32"),
    re.compile(r'make demo ARGS="[^"]*"'),
    re.compile(r"\[/?[a-z ]+\]|\{[\w:,.!]*\}|<[a-z ]+(?:\s*\[[^\]]*\])?>|\{\"event.*?\}", re.DOTALL),
    re.compile(r"https?://\S+|[\w.-]*/[\w./-]+|\S+@\S+"),
    re.compile(r"--[a-z][a-z-]*"),
    re.compile(r"'[^']*'"),
)
_NAMES = re.compile(
    r"\b(?:Deskroster|Udesk|Open API|KF5|ServiceGo|PostgreSQL|SQLite|Python|Prometheus|Ctrl-C|JSON|PEM|Asia|Errno)\b"
)
_WORDS = re.compile(r"\b[A-Za-z]?[a-z']+ +[a-z][a-z']+\b")


def english_in(text: str) -> str:
    """Return the first two English words in a row, or nothing."""
    for pattern in _NO_SENTENCE:
        text = pattern.sub("。", text)
    found = _WORDS.search(_NAMES.sub("。", text))
    return found[0] if found else ""

"""Lines of Chinese text in Rich, which breaks lines at spaces alone, and cuts off what does not fit into a column."""

import re

from rich import _wrap
from rich.text import Text

_WIDE, _OPENING, _CLOSING = "\u2e80-\u2fff\u3041-\u9fff\uf900-\ufaff", "（“‘《【", "，。；：？！、）”’》】…"
_WORD = re.compile(rf"\s*(?:[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENING}{_CLOSING}]+)[{_CLOSING}]*|\S)\s*")
"""What stays in one line: a Chinese character, or a word of others, with the punctuation that belongs to it."""


def break_chinese_lines() -> None:
    """Have Rich break a line at any Chinese character."""
    _wrap.re_word = _WORD
    Text.rstrip_end = _without_spaces_at_the_end  # type: ignore[method-assign, assignment]


def _without_spaces_at_the_end(line: Text, size: int) -> None:
    """Remove spaces that do not fit: Rich's own counts characters and not cells, of which a Chinese one has two."""
    while line.cell_len > size and line.plain[-1:].isspace():
        line.right_crop(1)

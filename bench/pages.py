"""The figures in the documentation: a table in English, and the same in Chinese, made from it."""

import re
from pathlib import Path

TOP = Path(__file__).parents[1]
ENGLISH, CHINESE = (TOP / "docs" / folder / "reference" / "performance.md" for folder in ("", "zh"))
BEGIN, END = "<!-- measured by make bench -->", "<!-- end of what was measured -->"

_TIME = r"[\d,.]+ (?:µs|ms|s)"
_RIVALS = "raw uvicorn|the usual way|hand-written SQL|the Udesk list of equal bytes"
_PHRASES = {
    r"Measured on (\d+) cores of (.+)\.": "测量环境：{} 核 {}。",
    r"what": "内容",
    r"measured": "测量结果",
    r"at least": "下限",
    r"aim": "目标",
    # what was measured
    r"list of (\d+)": "{} 条的列表",
    r"one group's agents": "一个客服组的客服",
    r"KF5 groups, (\d+)": "KF5 客服组，{} 个",
    r"KF5 users, (\d+)": "KF5 用户，{} 个",
    r"ServiceGo staff, (\d+)": "ServiceGo 员工，{} 名",
    r"ServiceGo groups, (\d+)": "ServiceGo 员工组，{} 个",
    r"raw uvicorn": "裸 uvicorn ",
    r"the usual way": "通常的做法",
    r"hand-written SQL": "手写 SQL ",
    r"the Udesk list of equal bytes": "字节数相同的 Udesk 列表",
    rf"(.+) against ({_RIVALS})": "{}，与{}相比",
    r"CPU time of a durable create with (\d+) clients against a list of (\d+)": (
        "{} 个客户端时一次持久化创建的 CPU 时间，与 {} 条的列表相比"
    ),
    r"durable creates a second with (\d+) clients? against (.+)": "{} 个客户端时每秒的持久化创建，与{}相比",
    r"a commit each": "每次单独提交",
    r"a bare loop that hashes, chains and commits as much": "同样计算哈希、链接并提交的空循环",
    r"the same as CPU time of the server": "同上，按服务器的 CPU 时间",
    r"reads while durable writes go on, one for (\d+) reads alone, against reads alone": (
        "同时有持久化写入时的读取（每 {} 次单独读取对应一次写入），与单独读取相比"
    ),
    r"(.+) at ([\d,]+) agents against ([\d,]+)": "{}，{} 名客服与 {} 名相比",
    r"an uncached page": "未缓存的一页",
    r"catching up after one delete": "一次删除之后的追赶",
    r"memory for ([\d,]+) agents over the empty server, (.+)": "{} 名客服比空服务器多占用的内存，{}",
    r"after start": "启动之后",
    r"after one sweep of every list": "遍历所有列表一次之后",
    r"CPU time from start to ready with ([\d,]+) agents against a bare loop that makes the same records": (
        "{} 名客服时从启动到就绪的 CPU 时间，与创建同样记录的空循环相比"
    ),
    r"a durable write's p50 while (\d+) connections read as fast as they can, against the same write alone": (
        "{} 个连接全速读取时一次持久化写入的 p50，与单独写入相比"
    ),
    r"(.+) a second by (\d) process(?:es)? on PostgreSQL against SQLite, (.+)": (
        "每秒{}，PostgreSQL 上 {} 个进程与 SQLite 相比，{}"
    ),
    r"reads": "读取",
    r"durable creates": "持久化创建",
    r"CPU time per read with two processes against one, (.+)": "每次读取的 CPU 时间，两个进程与一个进程相比，{}",
    r"CPU time per read on PostgreSQL against SQLite, (.+)": "每次读取的 CPU 时间，PostgreSQL 与 SQLite 相比，{}",
    r"a read's p50 on PostgreSQL, (.+)": "PostgreSQL 上一次读取的 p50，{}",
    r"(\d+) clients?": "{} 个客户端",
    r"(\d+) clients each": "每个进程 {} 个客户端",
    r"(\d+) clients between them": "共 {} 个客户端",
    r"the next request elsewhere after a commit, which it sees: p50": (
        "提交之后另一进程的下一个请求，并能看到该提交：p50"
    ),
    # remarks
    rf"({_TIME}) against ({_TIME})": "{} 对 {}",
    rf"({_TIME} against {_TIME}); ({_TIME}) to the first answer": "{}；{} 后给出第一个应答",
    r"([\d,]+) against ([\d,]+) a second": "每秒 {} 对 {}",
    r"([\d,]+) reads a second against ([\d,]+)": "每秒读取 {} 对 {}",
    r"([\d,]+) and ([\d,]+) bytes": "{} 和 {} 字节",
    r"the empty server: (\d+ MiB)": "空服务器：{}",
    rf"p99 ({_TIME}); without news ({_TIME}); (\d+) seen": "p99 {}；没有新提交时 {}；共 {} 次看到",
    # the machine
    r"([^,]+), (.+)": "{}，{}",
}
"""A line or a cell, as a pattern, and its Chinese. What a group matches is translated by the same table."""


def put(told: str) -> None:
    """Put a table in English into the English page, and its translation into the Chinese one."""
    for page, text in ((ENGLISH, told), (CHINESE, in_chinese(told))):
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def told_by(page: Path) -> str:
    """Return the table of a page, with the line above it."""
    return page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def in_chinese(told: str) -> str:
    """Return a table in Chinese; what has no translation stays English, which a test notices."""
    return "\n".join(
        "|".join(
            cell.replace(cell.strip(), _translated(cell.strip())) if cell.strip() else cell for cell in line.split("|")
        )
        for line in told.splitlines()
    )


def _translated(text: str) -> str:
    for pattern, chinese in _PHRASES.items():
        if found := re.fullmatch(pattern, text):
            return chinese.format(*map(_translated, found.groups()))
    return text


if __name__ == "__main__":
    put(told_by(ENGLISH))

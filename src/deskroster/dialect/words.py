"""Sentences for refusals, in Chinese and English, where no vendor's page says them."""

from typing import assert_never

from deskroster.core.problems import (
    Busy,
    Conflict,
    Damaged,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Reason,
    Rule,
    Unauthenticated,
    Unknown,
    Wanted,
)
from deskroster.core.records import Kind, Language
from deskroster.dialect.problems import (
    AnyRejection,
    BadHost,
    Incident,
    Malformed,
    MediaType,
    MethodNotAllowed,
    TooLarge,
    TooMany,
    TooSlow,
    UnknownCompany,
    UnknownPath,
)

_Both = tuple[str, str]  # zh, en

_KINDS: dict[Kind, _Both] = {
    "company": ("公司", "company"),
    "agent": ("客服", "agent"),
    "group": ("客服组", "group"),
    "role": ("角色", "role"),
    "position": ("岗位", "position"),
    "department": ("部门", "department"),
    "permission_set": ("权限集", "permission set"),
    "profile_field": ("信息字段", "profile field"),
    "profile_record": ("信息记录", "profile record"),
    "key": ("密钥", "key"),
}
_RULES: dict[Rule, _Both] = {
    Rule.REQUIRED: ("不能为空", "is required"),
    Rule.EMPTY: ("不能为空", "cannot be empty"),
    Rule.TOO_LONG: ("不能超过{limit}个字符", "is too long (maximum is {limit} characters)"),
    Rule.TOO_SHORT: ("不能少于{limit}个字符", "is too short (minimum is {limit} characters)"),
    Rule.TOO_MANY: ("不能超过{limit}个", "has too many elements (maximum is {limit})"),
    Rule.CHARACTERS: ("含有不允许的字符", "contains characters that are not allowed"),
    Rule.TYPE: ("类型错误", "is of the wrong type"),
    Rule.EMAIL: ("不是有效的邮件地址", "is not a valid e-mail address"),
    Rule.CHOICE: ("不是允许的值", "is not one of the values allowed"),
    Rule.RANGE: ("超出范围", "is out of range"),
    Rule.FORM: ("格式错误", "has the wrong format"),
    Rule.UNKNOWN: ("不存在", "does not exist"),
    Rule.READ_ONLY: ("不可修改", "cannot be written"),
    Rule.INAPPLICABLE: ("不适用于该类型的字段", "does not apply to a field of this type"),
    Rule.STAFF_ONLY: ("必须是 agent 或 admin: 这里只保存客服", "has to be agent or admin: only staff is kept here"),
}
_WANTED: dict[Wanted, _Both] = {
    Wanted.INTEGER: ("整数", "an integer"),
    Wanted.TEXT: ("文本", "text"),
    Wanted.BOOLEAN: ("布尔值", "a boolean"),
    Wanted.OBJECT: ("对象", "an object"),
    Wanted.REFERENCE: ("含 id 的对象", "an object with an id"),
    Wanted.INTEGERS: ("整数数组", "an array of integers"),
    Wanted.TEXTS: ("文本数组", "an array of texts"),
    Wanted.OBJECTS: ("对象数组", "an array of objects"),
    Wanted.REFERENCES: ("含 id 的对象数组", "an array of objects with an id"),
    Wanted.DATE: ("日期 YYYY-MM-DD", "a date YYYY-MM-DD"),
    Wanted.DATE_TIME: ("时间 YYYY-MM-DD HH:MM:SS", "a time YYYY-MM-DD HH:MM:SS"),
    Wanted.DECIMAL: ("数字", "a number"),
    Wanted.PHONE: ("电话号码", "a phone number"),
    Wanted.ID: ("id", "an id"),
    Wanted.MOMENT: ("时间, 如 2027-01-31T00:00:00Z", "a time such as 2027-01-31T00:00:00Z"),
    Wanted.API_NAME: (
        "英文字母开头, 后接字母、数字和下划线 (最多 64 个字符)",
        "a letter followed by letters, digits and underscores (64 characters at most)",
    ),
    Wanted.OPTION: ("不含逗号的选项", "an option without a comma"),
    Wanted.OPTION_OF_TWO: ("“上级,下级”形式的选项", "an option such as PARENT,CHILD"),
    Wanted.LABEL: (
        "小写英文字母和数字, 中间可有连字符 (最多 63 个字符)",
        "lower-case letters and digits with hyphens between them (63 characters at most)",
    ),
    Wanted.ORIGIN: ("源, 如 https://app.example.com", "an origin such as https://app.example.com"),
}
_REASONS: dict[Reason, _Both] = {
    Reason.EMAIL_TAKEN: ("邮箱已被使用", "the e-mail is already in use"),
    Reason.NAME_TAKEN: ("名称已被使用", "the name is already in use"),
    Reason.LAST_ADMINISTRATOR: ("必须保留至少一名启用的管理员", "the last enabled administrator must stay"),
    Reason.ONESELF: ("不能删除自己", "you cannot delete yourself"),
    Reason.HAS_LEFT: ("离职员工不能启用", "an agent who has left cannot be enabled"),
    Reason.IN_USE: ("仍在使用中", "it is still in use"),
    Reason.SEVERAL: ("多条记录有相同的值", "several records have this value"),
    Reason.RECORDS_EXIST: (
        "已有信息记录没有该字段的值, 不能设为必填",
        "there are records already, without a value of this field: it cannot be required",
    ),
    Reason.IDEMPOTENCY_KEY: (
        "该 Idempotency-Key 已用于另一请求",
        "this Idempotency-Key was used with another request",
    ),
}

_PARTS: dict[str, _Both] = {
    "body": ("请求体过大", "the body is too large"),
    "query": ("查询字符串过长", "the query is too long"),
    "head": ("请求头过大", "the head of the request is too large"),
}


def of_rule(language: Language, problem: Invalid) -> str:
    """Return what a value must be, without the name of its field."""
    rule = _pick(_RULES[problem.rule], language).format(limit=problem.limit)
    if problem.wanted is None:
        return rule
    wanted = _pick(_WANTED[problem.wanted], language)
    return f"{rule}, 应为{wanted}" if language == "zh" else f"{rule}: {wanted} is wanted"


def of(language: Language, problem: Problem | AnyRejection) -> str:
    """Return a sentence that says what was refused and why."""
    match problem:
        case NotFound(kind=kind):
            return _pick((f"{_KINDS[kind][0]}不存在", f"no such {_KINDS[kind][1]}"), language)
        case Invalid(field=field):
            return f"{field} {of_rule(language, problem)}"
        case Conflict(reason=Reason.NAME_TAKEN, field="label"):
            return _pick(("标签已被使用", "the label is already in use"), language)
        case Conflict(reason=reason):
            return _pick(_REASONS[reason], language)
        case Incident(id=id):
            return _pick((f"服务器内部错误, 事件编号 {id}", f"internal error, incident {id}"), language)
        case TooLarge(part=part):
            return _pick(_PARTS[part], language)
        case MediaType():
            return _pick(_media(problem), language)
        case Malformed(part="query"):
            return _pick(("查询字符串不是有效的 UTF-8", "the query is no valid UTF-8"), language)
        case Malformed(part="HTTP"):
            return _pick(("不是有效的 HTTP 请求", "this is no valid HTTP request"), language)
        case Malformed(part=part) if part != "body":
            return _pick((f"请求头 {part} 格式错误", f"the header {part} is malformed"), language)
        case _:
            return _pick(_plain(problem), language)


def explanation(language: Language, problem: Unauthenticated) -> str:
    """Return what helps to debug a client whose signature was refused; empty where nothing is to be told."""
    if problem.missing:
        return f"missing: {', '.join(problem.missing)}"
    if problem.known:
        return _pick((f"支持的 sign_version: {problem.known}", f"sign_version may be: {problem.known}"), language)
    if problem.skew is None:
        return problem.signed
    server, read, limit = problem.skew
    return _pick(
        (
            f"服务器时间 {server}, 收到的 timestamp {read}, 相差 {abs(server - read)} 秒, 最多允许 {limit} 秒",
            f"server time {server}, timestamp read as {read}: {abs(server - read)} s apart, at most {limit} s allowed",
        ),
        language,
    )


def preferred(accept_language: str | None) -> Language | None:
    """Return the language of an Accept-Language header (RFC 9110, section 12.5.4): Chinese, English, or neither."""
    best, weight = None, 0.0
    for element in (accept_language or "").lower().split(",")[:20]:
        tag, _, parameter = element.strip().partition(";")
        name, _, quality = parameter.strip().partition("=")
        try:
            wanted = float(quality) if name == "q" else 1.0
        except ValueError:
            continue
        language = tag.strip()[:2]
        if wanted > weight and language in ("zh", "en"):
            best, weight = language, wanted
    return "zh" if best == "zh" else "en" if best == "en" else None


def _plain(
    problem: Forbidden | Unauthenticated | Busy | Unknown | UnknownPath | MethodNotAllowed | BadHost
    | UnknownCompany | TooSlow | Malformed | TooMany,
) -> _Both:  # fmt: skip
    match problem:
        case Forbidden(foreign_page=True):
            return (
                "该来源的页面不能写入, 允许的来源由 company set --cors-origin 指定",
                "pages of this origin may not write: company set --cors-origin names those that may",
            )
        case Forbidden():
            return "没有权限", "not allowed"
        case Unauthenticated():
            return "身份验证失败", "authentication failed"
        case Damaged():
            return "数据已损坏, 写入已停止, 请联系运维", "the data is damaged, writing has stopped; tell the operator"
        case Busy():
            return "服务繁忙, 请求未执行, 可以重试", "busy: the request was not carried out and may be repeated"
        case Unknown():
            return "结果未知, 请求可能已执行", "outcome unknown: the request may have been carried out"
        case UnknownPath():
            return "路径不存在", "no such path"
        case MethodNotAllowed():
            return "不支持该请求方法", "method not allowed"
        case BadHost():
            return "Host 请求头缺失或无效", "the Host header is missing or invalid"
        case UnknownCompany():
            return "公司不存在", "no such company"
        case TooSlow():
            return "请求未在期限内完整到达", "the request did not come whole in time"
        case Malformed():
            return "请求体格式错误", "the body is malformed"
        case TooMany():
            return "请求过于频繁", "too many requests"
        case _:
            assert_never(problem)


def _media(problem: MediaType) -> _Both:
    readable = ", ".join(problem.readable)
    if problem.encoding:
        return (
            f"不支持 Content-Encoding {problem.encoding}, 请发送未压缩的请求体",
            f"the Content-Encoding {problem.encoding} is not supported: send the body as it is",
        )
    if problem.is_json:
        return (
            "请求体是 JSON, 请发送 Content-Type: application/json",
            "the body is JSON: send Content-Type: application/json",
        )
    return f"不支持的媒体类型, 请发送 {readable}", f"unsupported media type: send {readable}"


def _pick(both: _Both, language: Language) -> str:
    return both[0] if language == "zh" else both[1]

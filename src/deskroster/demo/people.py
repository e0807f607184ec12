"""The staff of the demo's company, with their profiles. Nothing is random: an id is always the same person."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from deskroster.core.agents import AgentFields
from deskroster.core.records import FieldType, State

DOMAIN = "example.com"

POSITIONS = (
    "客服专员",
    "客服组长",
    "客服主管",
    "技术支持工程师",
    "质检专员",
    "Customer Support Specialist",
    "培训专员",
)
ROLES = ("客服", "组长", "主管", "技术支持", "质检", "实习生")
PERMISSION_SETS = ("坐席基础权限", "组长权限", "报表查看", "管理后台", "数据导出")
DEPARTMENTS: tuple[tuple[str, int | None], ...] = (
    ("客户服务中心", None),
    ("在线客服部", 1),
    ("电话客服部", 1),
    ("技术支持部", 1),
    ("华东一区", 2),
    ("华南一区", 2),
    ("质量管理部", None),
    ("International", None),
    ("EMEA", 8),
    ("APAC", 8),
    ("项目筹备组", None),
)
"""The last of each is nobody's, so that it can be removed."""
GROUPS = ("售前咨询", "售后服务", "技术支持", "VIP 客户", "电话热线", "投诉处理", "夜班值守", "English Support")
NOT_YET_HERE = "待入职"  # the title in a profile record that no agent holds
ENGLISH = 8  # the id of the group "English Support"


class Field(NamedTuple):
    """A profile field of the company."""

    api_name: str
    label: str
    type: FieldType
    options: tuple[str, ...] = ()


FIELDS = (
    Field("title", "称呼", "single_line"),
    Field("hired_on", "入职日期", "date"),
    Field("last_trained", "最近培训", "date_time"),
    Field("education", "学历", "single_listbox", ("大专", "本科", "硕士")),
    Field("languages", "语言", "multi_listbox", ("普通话", "粤语", "英语", "日语")),
    Field("office", "办公地点", "cascade", ("中国,上海", "中国,深圳", "中国,成都", "Europe,Dublin", "Asia,Singapore")),
    Field("years", "从业年限", "numeric"),
    Field("satisfaction", "满意度", "percent"),
    Field("emergency_phone", "紧急联系电话", "telephone"),
    Field("private_email", "私人邮箱", "email"),
    Field("about", "简介", "multi_line"),
    Field("mentor", "导师", "staff"),
    Field("stands_in_for", "代班对象", "lookup"),
    Field("contract", "合同", "attachment"),
    Field("handbook", "工作手册", "rich_text"),
    Field("supervisor", "负责人", "owner"),
    Field("agreement", "保密协议签名", "signature"),
    Field("seat", "工位", "single_line"),
)
"""No record has a value of the last one."""

_CHINESE = """
    陈立 admin, 王芳 agent, 李娜 li.na, 张伟 zhang.wei, 刘洋 liu.yang, 赵敏 zhao.min, 孙悦 sun.yue, 周杰 zhou.jie,
    吴静 wu.jing, 郑凯 zheng.kai, 冯雪 feng.xue, 蒋涛 jiang.tao, 沈丹 shen.dan, 韩冰 han.bing, 杨帆 yang.fan,
    朱琳 zhu.lin, 秦朗 qin.lang, 许晴 xu.qing, 何佳 he.jia, 吕航 lv.hang, 施展 shi.zhan, 孔亮 kong.liang,
    曹颖 cao.ying, 严肃 yan.su, 金鑫 jin.xin, 魏然 wei.ran, 陶莉 tao.li, 姜山 jiang.shan, 戚薇 qi.wei,
    谢楠 xie.nan, 邹文 zou.wen, 柏林 bai.lin, 窦唯一 dou.weiyi, 章程 zhang.cheng, 苏小妹 su.xiaomei,
    潘虹 pan.hong, 葛平 ge.ping, 范冰 fan.bing, 彭博 peng.bo, 鲁豫 lu.yu, 欧阳倩 ouyang.qian,
    司马光 sima.guang, 上官云 shangguan.yun, 诸葛明 zhuge.ming
"""
_ENGLISH = """
    Grace Hughes, Emma Clarke, Oliver Reed, Aoife Byrne, Liam Walsh, Sofia Rossi, Noah Fischer, Chloe Martin,
    Mateo Garcia, Freya Larsen, Arjun Mehta, Mei Tan, Daniel Okafor, Hannah Schmidt, Lucas Silva, Zoe Wright
"""
DISABLED, IN_REVIEW, DEPARTED = {17, 31, 46}, {44, 59}, {12, 28, 39, 57}


class Person(NamedTuple):
    """A member of staff: the id of the agent, the group, and whether the person leads it."""

    id: int
    name: str
    alias: str
    local: str  # the part of the e-mail before the @
    group_id: int
    leads: bool
    english: bool

    @property
    def email(self) -> str:
        return f"{self.local}@{DOMAIN}"

    @property
    def state(self) -> State:
        if self.id in IN_REVIEW:
            return "review"
        return "disabled" if self.id in DISABLED | DEPARTED else "enabled"


def staff() -> Iterator[Person]:
    """Yield the staff by ascending id: two administrators, the agent that the demo shows, then the others."""
    chinese = [tuple(entry.split()) for entry in _CHINESE.split(",")]
    english = [entry.strip() for entry in _ENGLISH.split(",")]
    names = [(name, name[-1:] if len(name) == 2 else name[-2:], local, False) for name, local in chinese]
    foreign = [(name, name.split()[0], name.lower().replace(" ", "."), True) for name in english]
    ordered = [names[0], foreign[0], *names[1:], *foreign[1:]]
    led: set[int] = set()
    for id, (name, alias, local, is_english) in enumerate(ordered, 1):
        group_id = ENGLISH if is_english else (id - 1) % (len(GROUPS) - 1) + 1
        leads = id > 3 and group_id not in led
        if leads:
            led.add(group_id)
        yield Person(id, name, alias, local, group_id, leads, is_english)


def fields_of(person: Person) -> AgentFields:
    """Return the fields of a person's agent, without secrets and without the profile."""
    id = person.id
    by_phone = person.group_id == 5
    return AgentFields(
        name=person.name,
        email=person.email,
        alias=person.alias,
        level="admin" if id <= 2 else "agent",
        state=person.state,
        employed=id not in DEPARTED,
        mobile=f"+353 85 55{id:05d}" if person.english else f"138001{38000 + id}",
        job_number=f"YF{1000 + id}",
        group_ids=_groups_of(person),
        role_ids=_roles_of(person),
        department_ids=(_department_of(person),),
        permission_set_ids=(1, 3, 4) if id <= 2 else (1, 2, 3) if person.leads else (1,),
        position_id=_position_of(person),
        seat="phone" if by_phone else "plain",
        leads=person.leads,
        channels="call" if by_phone else "all",
        chat_skill=5 + id % 8,
        language="en" if person.english else "zh",
        welcome=f"Hello, this is {person.alias}." if person.english else f"您好, 我是{person.alias}, 有什么可以帮您?",
        landline=f"021-5555{8000 + id}" if by_phone else "",
        sip_number=str(6000 + id) if by_phone else "",
        callout_number=f"021-5555{9000 + id}" if by_phone else "",
        remark="夜班" if person.group_id == 7 else "",
    )


def values_of(person: Person, lead: Person | None, records: int) -> dict[str, Any]:
    """Return the values of a person's profile record, in the forms in which they are read.

    `lead`: the leader of the person's group, if already created. `records`: the number of profile records so far.
    """
    id = person.id
    language = "英语" if person.english else "普通话"
    values: dict[str, Any] = {
        "title": f"{person.alias} 老师" if not person.english else f"{person.alias}, Support",
        "hired_on": f"{2016 + id % 9}-{1 + id % 12:02d}-{1 + id % 28:02d}",
        "last_trained": f"2025-{1 + id % 9:02d}-15 {9 + id % 8:02d}:30:00",
        "education": FIELDS[3].options[id % 3],
        "languages": ",".join(dict.fromkeys((language, FIELDS[4].options[id % 4]))),
        "office": FIELDS[5].options[3 + id % 2 if person.english else id % 3],
        "years": f"{1 + id % 9}.{5 * (id % 2)}",
        "satisfaction": f"0.{90 + id % 10}",
        "emergency_phone": [{"tagName": "Home" if person.english else "家人", "tagValue": f"139001{39000 + id}"}],
        "private_email": f"{person.local}@example.org",
    }
    if lead is not None:
        values["mentor"] = lead.email
    if person.leads:
        values |= _papers_of(person)
    if id % 5 == 0:
        values["about"] = f"{person.name}\n{GROUPS[person.group_id - 1]}"
    if id % 7 == 0 and records:
        values["stands_in_for"] = str(records)
    return values


def _papers_of(person: Person) -> dict[str, Any]:
    """Return the values that have files behind them, which stand elsewhere."""
    files = f"https://{DOMAIN}/files/{person.local}"
    contract = {"name": "合同.pdf", "docAddress": f"{files}/contract.pdf", "size": 48_213 + person.id}
    chapter = {"name": "排班表.xlsx", "docAddress": f"{files}/shifts.xlsx", "size": 9_120 + person.id}
    return {
        "contract": {"attachmentList": [contract]},
        "handbook": {"content": f"<p>{GROUPS[person.group_id - 1]}</p>", "attachmentList": [chapter]},
        "supervisor": {"ownerType": 1, "ownerName": "陈立"},
        "agreement": {"url": f"{files}/signature.png", "time": "2025-03-01 09:30:00"},
    }


def _groups_of(person: Person) -> tuple[int, ...]:
    return (person.group_id, 4) if person.id % 6 == 0 and person.group_id != 4 else (person.group_id,)


def _roles_of(person: Person) -> tuple[int, ...]:
    if person.id <= 2:
        return (3,)
    role = 4 if person.group_id == 3 else 5 if person.group_id == 6 else 1
    return (role, 2) if person.leads else (role,)


def _department_of(person: Person) -> int:
    if person.english:
        return 9 + person.id % 2
    return {3: 4, 5: 3, 6: 7}.get(person.group_id, 5 + person.id % 2)


def _position_of(person: Person) -> int:
    if person.id <= 2:
        return 3
    if person.leads:
        return 2
    return 6 if person.english else {3: 4, 6: 5}.get(person.group_id, 1)

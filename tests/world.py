"""The company of the tests: small, with one of everything, and the credentials of its people."""

from functools import cache
from uuid import uuid4

from pwdlib.hashers.argon2 import Argon2Hasher

from deskroster.core.records import (
    Agent,
    AnyRecord,
    Company,
    Department,
    Group,
    Key,
    PermissionSet,
    Position,
    ProfileField,
    ProfileRecord,
    Role,
    Secret,
)
from deskroster.testing import Account

COMPANY = Company(id=1, label="demo", name="演示公司", language="en", created_at=1_600_000_000)

ADMIN = Account(id=1, email="admin@udesk.cn", password="admin-password", token="admin-token")
AGENT = Account(id=2, email="agent@udesk.cn", password="agent-password", token="agent-token")
DISABLED = Account(id=3, email="disabled@udesk.cn", password="disabled-password", token="disabled-token")
LEFT = Account(id=4, email="left@udesk.cn", password="left-password", token="left-token")
REVIEWED = Account(id=5, email="review@udesk.cn", password="review-password", token="review-token")
SECOND_ADMIN = Account(id=6, email="second@udesk.cn", password="second-password", token="second-token")
READER = Account(id=1, email="admin@udesk.cn", password="admin-password", token="read-only-token")  # a key of ADMIN
STRANGER = Account(id=0, email="stranger@udesk.cn", password="stranger-password", token="stranger-token")

FIELDS = (
    ProfileField(id=1, api_name="sysusername", label="姓名", type="single_line"),
    ProfileField(id=2, api_name="bio", label="简介", type="multi_line"),
    ProfileField(id=3, api_name="page", label="主页", type="rich_text"),
    ProfileField(id=4, api_name="born", label="生日", type="date"),
    ProfileField(id=5, api_name="met", label="入职", type="date_time"),
    ProfileField(id=6, api_name="height", label="身高", type="numeric"),
    ProfileField(id=7, api_name="share", label="比例", type="percent"),
    ProfileField(id=8, api_name="lianxidianhua", label="联系电话", type="telephone"),
    ProfileField(id=9, api_name="mails", label="邮箱", type="email"),
    ProfileField(id=10, api_name="shift", label="班次", type="single_listbox", options=("早班", "晚班")),
    ProfileField(id=11, api_name="skills", label="技能", type="multi_listbox", options=("中文", "English")),
    ProfileField(id=12, api_name="city", label="城市", type="cascade", options=("北京,海淀", "上海,浦东")),
    ProfileField(id=13, api_name="mentor", label="导师记录", type="lookup"),
    ProfileField(id=14, api_name="boss", label="上级", type="staff"),
    ProfileField(id=15, api_name="owner", label="所有人", type="owner"),
    ProfileField(id=16, api_name="sign", label="签名", type="signature"),
    ProfileField(id=17, api_name="files", label="附件", type="attachment"),
)
PROFILE = ProfileRecord(
    id=1,
    values=(
        (1, "客服小二"), (2, "一\n二"), (3, "<b>hi</b>"), (4, "1990-01-31"), (5, "2020-02-29 08:00:00"), (6, "1.75"),
        (7, "0.3"), (8, "13300000001,13300000002"), (9, "a@test.cn,b@test.cn"), (10, "早班"), (11, "中文,English"),
        (12, "北京,海淀"), (14, "1"),
    ),
)  # fmt: skip
OTHER_PROFILE = ProfileRecord(id=2, values=((1, "无人"), (13, "1")))


def records() -> list[AnyRecord]:
    """Return the records of the company, those pointed at first."""
    return [
        Role(id=1, name="客服", description="接待客户"),
        Role(id=2, name="Supervisor"),
        Role(id=3, name="质检"),
        Position(id=1, name="客服专员"),
        Position(id=2, name="Team lead"),
        Position(id=3, name="经理"),
        Department(id=1, name="总部"),
        Department(id=2, name="售前部", parent_id=1),
        Department(id=3, name="Support", parent_id=1),
        PermissionSet(id=1, name="基础权限"),
        PermissionSet(id=2, name="Reports"),
        *FIELDS,
        PROFILE,
        OTHER_PROFILE,
        Group(id=1, name="售前", created_at=1_600_000_000, updated_at=1_600_000_000),
        Group(id=2, name="After sales", created_at=1_600_000_001, updated_at=1_600_000_001),
        Group(id=3, name="空组", created_at=1_600_000_002, updated_at=1_600_000_002),
        _agent(ADMIN, "Admin", level="admin", group_ids=(1,), position_id=2),
        _agent(
            AGENT, "客服小二", alias="小二", mobile="13300000001", job_number="88066", group_ids=(1, 2),
            role_ids=(1, 2), department_ids=(1, 3), permission_set_ids=(1,), position_id=1, profile_id=1, seat="phone",
            leads=False, employed=True,
        ),
        _agent(DISABLED, "Disabled", group_ids=(2,), state="disabled"),
        _agent(LEFT, "Left", state="disabled", employed=False),
        _agent(REVIEWED, "Reviewed", state="review"),
        _agent(SECOND_ADMIN, "Second", level="admin"),
        *(_key(id, account) for id, account in enumerate((ADMIN, AGENT, DISABLED, LEFT, REVIEWED, SECOND_ADMIN), 1)),
        Key(id=7, agent_id=1, name="reader", secret=Secret(READER.token), access="read", created_at=1_600_000_000),
    ]  # fmt: skip


def new_email() -> str:
    """Return an address that nobody has."""
    return f"{uuid4().hex}@test.cn"


@cache
def password_hash(password: str) -> Secret:
    """Return a real Argon2id hash, of the least cost."""
    return Secret(cheap_hasher().hash(password))


def cheap_hasher() -> Argon2Hasher:
    return Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)


def _agent(account: Account, name: str, **fields: object) -> Agent:
    at = 1_600_000_000 + account.id
    return Agent(
        id=account.id, name=name, email=account.email, password=password_hash(account.password), created_at=at,
        updated_at=at, **fields,
    )  # fmt: skip


def _key(id: int, account: Account) -> Key:
    return Key(id=id, agent_id=account.id, name="api", secret=Secret(account.token), created_at=1_600_000_000)

"""The companies of the transcripts: as far as the vendors' pages show them, with the values that stand there."""

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
from tests.world import password_hash

AT = 1_367_380_326  # 2013-05-01 11:52:06 in Shanghai
ADMINS = {
    "udesk": Account(id=3, email="admin@udesk.cn", password="admin-password", token="udesk-token"),
    "kf5": Account(id=2, email="admin@kf5.com", password="admin-password", token="kf5-token"),
    "servicego": Account(id=5, email="admin@udesk.cn", password="admin-password", token="servicego-token"),
}
HOSTS = {"udesk": "demo.udesk.cn", "kf5": "support.kf5.com", "servicego": "servicego.udesk.cn"}
AVATAR = "http://attachments.gfan.com/forum/attachments2/201302/03/11281446n2st1its4152n5.jpg"


def records(dialect: str) -> list[AnyRecord]:
    """Return the company that a vendor's page shows, and its administrator."""
    admin = ADMINS[dialect]
    hashed = password_hash(admin.password)
    return [
        *{"udesk": _udesk, "kf5": _kf5, "servicego": _servicego}[dialect](),
        Agent(
            id=admin.id, name="管理员", email=admin.email, level="admin", password=hashed, created_at=AT, updated_at=AT
        ),
        Key(id=1, agent_id=admin.id, name="api", secret=Secret(admin.token), created_at=AT),
    ]  # fmt: skip


def company(dialect: str) -> Company:
    label = HOSTS[dialect].partition(".")[0]
    return Company(id=1, label=label, name=label, created_at=AT)


def _udesk() -> list[AnyRecord]:
    return [
        Role(id=1, name="role 1"),
        Position(id=1, name="客服专员"),
        Department(id=1, name="Department 1"),
        Department(id=2, name="Department 2"),
        Department(id=3, name="Department 3", parent_id=1),
        Group(id=1, name="Agent Group 1", created_at=AT, updated_at=AT),
        Agent(
            id=1, name="Test Agent1", email="test1@udesk.cn", mobile="12345678901", job_number="1", alias="Test Agent1",
            group_ids=(1,), role_ids=(1,), department_ids=(1, 3), avatar=AVATAR, language="en", created_at=AT,
            updated_at=AT,
        ),
        Agent(id=2, name="Test Agent2", email="test2@udesk.cn", created_at=AT, updated_at=AT),
    ]  # fmt: skip


def _kf5() -> list[AnyRecord]:
    return [
        Group(id=122, name="group2", created_at=AT, updated_at=AT),
        Group(id=165, name="支持组", created_at=AT, updated_at=AT),
        Agent(id=733, name="agent", email="agent@kf5.com", group_ids=(165,), created_at=AT, updated_at=AT),
        Agent(id=886, name="客服小叶", email="support@kf5.com", group_ids=(165,), created_at=AT, updated_at=AT),
    ]


def _servicego() -> list[AnyRecord]:
    def staff(id: int, email: str, name: str, mobile: str, job_number: str, profile_id: int | None) -> Agent:
        return Agent(
            id=id, email=email, name=name, mobile=mobile, job_number=job_number, profile_id=profile_id, position_id=2,
            role_ids=(2,), group_ids=(533, 544), seat="plain", leads=False, created_at=AT, updated_at=AT,
        )  # fmt: skip

    return [
        Role(id=2, name="客服"),
        Role(id=3, name="组长"),
        Position(id=2, name="客服专员"),
        PermissionSet(id=1, name="基础权限"),
        ProfileField(id=1, api_name="sysusername", label="姓名", type="single_line"),
        ProfileField(id=2, api_name="tudi", label="徒弟", type="single_line"),
        ProfileField(id=3, api_name="wuqi", label="武器", type="single_line"),
        ProfileField(id=4, api_name="lianxidianhua", label="联系电话", type="telephone"),
        ProfileRecord(id=2, values=((1, "测试1"), (2, "测试2"), (3, "测试3"), (4, "15840347826,15844578040"))),
        ProfileRecord(id=3, values=((1, "测试"), (3, "无"))),
        Group(id=533, name="一线", created_at=AT, updated_at=AT),
        Group(id=544, name="二线", created_at=AT, updated_at=AT),
        staff(1, "gone@udesk.cn", "将离", "13300000009", "1", None),
        staff(3, "zhaofeng@Udesk.cn", "张三", "15840134826", "88066", 2),
        staff(4, "wangxianzhi@udesk.cn", "测试01", "15834762387", "10000001", 3),
    ]

"""The companies of the transcripts: as far as the vendors' pages show them, with the values that stand there."""

from deskroster.core.records import Agent, AnyRecord, Company, Key, Secret
from tests.contract import Page
from tests.world import password_hash

AT = 1_367_380_326  # 2013-05-01 11:52:06 in Shanghai
AVATAR = "http://attachments.gfan.com/forum/attachments2/201302/03/11281446n2st1its4152n5.jpg"


def records(page: Page) -> list[AnyRecord]:
    """Return the company that a vendor's page shows, and its administrator."""
    admin = page.admin
    hashed = password_hash(admin.password)
    return [
        *page.records,
        Agent(
            id=admin.id, name="管理员", email=admin.email, level="admin", password=hashed, created_at=AT, updated_at=AT
        ),
        Key(id=1, agent_id=admin.id, name="api", secret=Secret(admin.token), created_at=AT),
    ]  # fmt: skip


def company(page: Page) -> Company:
    label = page.host.partition(".")[0]
    return Company(id=1, label=label, name=label, created_at=AT)

"""The usual way: FastAPI, SQLAlchemy's ORM and pydantic over SQLite, with eager loading and a signature check.

`python -m bench.rivals.usual FILE` serves a database that `fill` has made.
"""

import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, ForeignKey, Integer, Table, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from bench.data import TOKEN, records
from bench.rivals.running import run
from deskroster.core import records as ours


class Model(DeclarativeBase):
    pass


def _join(name: str, left: str, right: str) -> Table:
    return Table(
        name,
        Model.metadata,
        Column(f"{left}_id", Integer, ForeignKey(f"{left}s.id"), primary_key=True),
        Column(f"{right}_id", Integer, ForeignKey(f"{right}s.id"), primary_key=True, index=True),
    )


agent_groups = _join("agent_groups", "agent", "group")
agent_roles = _join("agent_roles", "agent", "role")
agent_departments = _join("agent_departments", "agent", "department")


class Group(Model):
    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    agents: Mapped[list["Agent"]] = relationship(
        secondary=agent_groups, back_populates="user_groups", order_by="Agent.id"
    )


class Role(Model):
    __tablename__ = "roles"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]


class Department(Model):
    __tablename__ = "departments"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Agent(Model):
    __tablename__ = "agents"
    id: Mapped[int] = mapped_column(primary_key=True)
    nick_name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    cellphone: Mapped[str]
    work_id: Mapped[str]
    im_ability_value: Mapped[int]
    profile: Mapped[str]
    aliase: Mapped[str]
    role_name: Mapped[str]
    duty: Mapped[str | None]
    disable_status: Mapped[str]
    avatar: Mapped[str]
    lang: Mapped[str]
    availability: Mapped[bool]
    im_welcomes: Mapped[str]
    agent_callout_display_number: Mapped[str]
    number: Mapped[str]
    password: Mapped[str]
    token: Mapped[str | None]
    user_groups: Mapped[list[Group]] = relationship(secondary=agent_groups, back_populates="agents")
    agent_roles: Mapped[list[Role]] = relationship(secondary=agent_roles)
    departments: Mapped[list[Department]] = relationship(secondary=agent_departments)

    @property
    def user_group_ids(self) -> list[int]:
        return [group.id for group in self.user_groups]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Meta(Out):
    current_page: int
    total_pages: int
    total_count: int


class AgentName(Out):
    id: int
    nick_name: str


class GroupOut(Out):
    id: int
    name: str
    agents: list[AgentName]


class GroupsReply(Out):
    code: int = 1000
    user_groups: list[GroupOut]
    meta: Meta


class Named(Out):
    id: int
    name: str


class RoleOut(Named):
    description: str


class AgentOut(Out):
    id: int
    nick_name: str
    email: str
    cellphone: str
    work_id: str
    im_ability_value: int
    profile: Literal["all", "im", "call", "ticket", "dial"]
    aliase: str
    role_name: Literal["agent", "admin"]
    duty: str | None
    user_group_ids: list[int]
    disable_status: Literal["enable", "disable"]
    avatar: str
    lang: Literal["zh-cn", "en-us"]
    availability: bool
    im_welcomes: str
    user_groups: list[Named]
    agent_roles: list[RoleOut]
    departments: list[Named]
    agent_callout_display_number: str
    number: str
    password: str


class GroupAgentsOut(Named):
    agents: list[AgentOut]


class GroupAgentsReply(Out):
    code: int = 1000
    user_group: GroupAgentsOut
    user_groups: list[GroupAgentsOut]
    meta: Meta


app = FastAPI()
engine = create_engine(f"sqlite:///{sys.argv[1]}" if len(sys.argv) > 1 else "sqlite://")
spent: set[str] = set()


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


Db = Annotated[Session, Depends(session)]


def signer(db: Db, email: str, timestamp: int, sign: str, nonce: str, sign_version: str) -> Agent:
    agent = db.scalar(select(Agent).where(func.lower(Agent.email) == email.lower()))
    token = agent.token if agent is not None and agent.token else ""
    wanted = sha256(f"{email}&{token}&{timestamp}&{nonce}&{sign_version}".encode()).hexdigest()
    if agent is None or not compare_digest(wanted, sign) or abs(time.time() - timestamp) > 300 or nonce in spent:
        raise HTTPException(401)
    spent.add(nonce)
    return agent


Signer = Annotated[Agent, Depends(signer)]
PageNumber = Annotated[int, Query(ge=1)]
PerPage = Annotated[int, Query(ge=1, le=100)]


@app.get("/open_api_v1/user_groups")
def list_groups(db: Db, caller: Signer, page: PageNumber = 1, per_page: PerPage = 20) -> GroupsReply:
    found = db.scalars(
        select(Group)
        .options(selectinload(Group.agents).load_only(Agent.id, Agent.nick_name))
        .order_by(Group.id)
        .offset((page - 1) * per_page)
        .limit(per_page)
    ).all()
    total = db.scalar(select(func.count(Group.id))) or 0
    meta = Meta(current_page=page, total_pages=-(-total // per_page), total_count=total)
    return GroupsReply(user_groups=[GroupOut.model_validate(group) for group in found], meta=meta)


@app.get("/open_api_v1/user_groups/{id}/agents")
def list_group_agents(
    db: Db, caller: Signer, id: int, page: PageNumber = 1, per_page: PerPage = 20
) -> GroupAgentsReply:
    group = db.get(Group, id)
    if group is None:
        raise HTTPException(404)
    found = db.scalars(
        select(Agent)
        .join(agent_groups)
        .where(agent_groups.c.group_id == id)
        .options(selectinload(Agent.user_groups), selectinload(Agent.agent_roles), selectinload(Agent.departments))
        .order_by(Agent.id)
        .offset((page - 1) * per_page)
        .limit(per_page)
    ).all()
    total = db.scalar(select(func.count()).where(agent_groups.c.group_id == id)) or 0
    one = GroupAgentsOut(id=group.id, name=group.name, agents=[AgentOut.model_validate(agent) for agent in found])
    meta = Meta(current_page=page, total_pages=-(-total // per_page), total_count=total)
    return GroupAgentsReply(user_group=one, user_groups=[one], meta=meta)


def fill(path: Path, agents: int) -> None:
    """Write the same company that Deskroster is measured on."""
    filled = create_engine(f"sqlite:///{path}")
    Model.metadata.create_all(filled)
    rows: dict[str, list[dict[str, object]]] = {}
    duties = {r.id: r.name for r in records(agents) if isinstance(r, ours.Position)}
    for record in records(agents):
        match record:
            case ours.Group(id=id, name=name):
                rows.setdefault("groups", []).append({"id": id, "name": name})
            case ours.Role(id=id, name=name, description=description):
                rows.setdefault("roles", []).append({"id": id, "name": name, "description": description})
            case ours.Department(id=id, name=name):
                rows.setdefault("departments", []).append({"id": id, "name": name})
            case ours.Agent():
                rows.setdefault("agents", []).append(_agent_row(record, duties))
                for other, held in (("group", record.group_ids), ("role", record.role_ids),
                                    ("department", record.department_ids)):  # fmt: skip
                    linked = rows.setdefault(f"agent_{other}s", [])
                    linked += [{"agent_id": record.id, f"{other}_id": id} for id in held]
    with filled.begin() as connection:
        for table in Model.metadata.sorted_tables:
            connection.execute(table.insert(), rows[table.name])
    filled.dispose()


def _agent_row(agent: ours.Agent, duties: dict[int, str]) -> dict[str, object]:
    return {
        "id": agent.id, "nick_name": agent.name, "email": agent.email, "cellphone": agent.mobile,
        "work_id": agent.job_number, "im_ability_value": agent.chat_skill, "profile": agent.channels,
        "aliase": agent.alias, "role_name": agent.level, "duty": duties.get(agent.position_id or 0),
        "disable_status": "enable", "avatar": agent.avatar, "lang": "zh-cn", "availability": agent.auto_assign,
        "im_welcomes": agent.welcome, "agent_callout_display_number": agent.callout_number,
        "number": agent.sip_number, "password": "", "token": TOKEN if agent.id == 1 else None,
    }  # fmt: skip


if __name__ == "__main__":
    run(app)

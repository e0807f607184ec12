"""The first version of the tables: the roster and its log."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DEFERRED: Any = {"deferrable": True, "initially": "DEFERRED"}
STRICT: Any = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    """Create the tables, in the order of their foreign keys."""
    _companies()
    _installation()
    _commits()
    _departments()
    _groups()
    _observations()
    _permission_sets()
    _positions()
    _profile_fields()
    _profile_records()
    _replies()
    _roles()
    _secrets()
    _verified()
    _agents()
    _indexes_of_agents()
    _changes()
    _link("agent_departments", "department", "departments")
    _link("agent_permission_sets", "permission_set", "permission_sets")
    _link("agent_roles", "role", "roles")
    _keys()
    _link("memberships", "group", "groups")


def _companies() -> None:
    op.create_table(
        "companies",
        *_numbers("company_id"),
        *_text("label", "name", "language", "time_zone", "signature_forms"),
        *_numbers("calls_per_minute", "profile_object_id", "created_at", "number"),
        *_text("next_ids"),
        *_blobs("head", "anchor", "checksum"),
        sa.CheckConstraint("language IN ('zh', 'en')", name="ck_companies_language"),
        sa.PrimaryKeyConstraint("company_id", name="pk_companies"),
        sa.UniqueConstraint("label", name="uq_companies_label"),
        **STRICT,
    )


def _installation() -> None:
    op.create_table(
        "installation",
        *_text("name", "value"),
        sa.PrimaryKeyConstraint("name", name="pk_installation"),
        **STRICT,
    )


def _commits() -> None:
    op.create_table(
        "commits",
        *_numbers("company_id", "number", "at"),
        sa.Column("agent_id", INTEGER, nullable=True),
        *_text("dialect", "address", "request_id"),
        sa.Column("note", sa.Text(), nullable=True),
        *_blobs("previous", "hash"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_commits_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "number", name="pk_commits"),
        **STRICT,
    )


def _departments() -> None:
    op.create_table(
        "departments",
        *_numbers("company_id", "id"),
        *_text("name"),
        sa.Column("parent_id", INTEGER, nullable=True),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(
            ["company_id", "parent_id"],
            ["departments.company_id", "departments.id"],
            name="fk_departments_parent",
            **DEFERRED,
        ),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_departments_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_departments"),
        **STRICT,
    )


def _groups() -> None:
    op.create_table(
        "groups",
        *_numbers("company_id", "id"),
        *_text("name"),
        *_numbers("created_at", "updated_at"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_groups_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_groups"),
        **STRICT,
    )


def _observations() -> None:
    op.create_table(
        "observations",
        *_numbers("company_id"),
        *_text("kind"),
        *_numbers("record_id", "at"),
        *_text("form"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_observations_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "kind", "record_id", name="pk_observations"),
        **STRICT,
    )


def _permission_sets() -> None:
    op.create_table(
        "permission_sets",
        *_numbers("company_id", "id"),
        *_text("name"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name="fk_permission_sets_company", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_permission_sets"),
        **STRICT,
    )


def _positions() -> None:
    op.create_table(
        "positions",
        *_numbers("company_id", "id"),
        *_text("name"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_positions_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_positions"),
        **STRICT,
    )


def _profile_fields() -> None:
    op.create_table(
        "profile_fields",
        *_numbers("company_id", "id"),
        *_text("api_name", "label", "type"),
        *_numbers("required"),
        *_text("options"),
        *_blobs("checksum"),
        sa.CheckConstraint(
            "type IN ('single_line', 'multi_line', 'rich_text', 'date', 'date_time', 'numeric', 'percent', "
            "'telephone', 'email', 'single_listbox', 'multi_listbox', 'cascade', 'lookup', 'staff', 'owner', "
            "'signature', 'attachment')",
            name="ck_profile_fields_type",
        ),
        sa.CheckConstraint("required IN (0, 1)", name="ck_profile_fields_required"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_profile_fields_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_profile_fields"),
        **STRICT,
    )


def _profile_records() -> None:
    op.create_table(
        "profile_records",
        *_numbers("company_id", "id"),
        *_text("values"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(
            ["company_id"], ["companies.company_id"], name="fk_profile_records_company", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_profile_records"),
        **STRICT,
    )


def _replies() -> None:
    op.create_table(
        "replies",
        *_numbers("company_id"),
        *_blobs("key", "request"),
        *_numbers("at"),
        *_blobs("sealed"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_replies_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "key", name="pk_replies"),
        **STRICT,
    )


def _roles() -> None:
    op.create_table(
        "roles",
        *_numbers("company_id", "id"),
        *_text("name", "description"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_roles_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_roles"),
        **STRICT,
    )


def _secrets() -> None:
    op.create_table(
        "secrets",
        *_numbers("company_id"),
        *_text("kind"),
        *_numbers("record_id"),
        *_text("field"),
        *_blobs("sealed"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_secrets_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "kind", "record_id", "field", name="pk_secrets"),
        **STRICT,
    )


def _verified() -> None:
    op.create_table(
        "verified",
        *_numbers("company_id", "number"),
        *_blobs("checksum"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_verified_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", name="pk_verified"),
        **STRICT,
    )


def _agents() -> None:
    op.create_table(
        "agents",
        *_numbers("company_id", "id"),
        *_text("name", "email", "level", "state"),
        sa.Column("employed", INTEGER, nullable=True),
        *_text("alias", "mobile", "job_number"),
        sa.Column("position_id", INTEGER, nullable=True),
        sa.Column("profile_id", INTEGER, nullable=True),
        sa.Column("seat", sa.Text(), nullable=True),
        sa.Column("leads", INTEGER, nullable=True),
        *_text("channels"),
        *_numbers("chat_skill", "auto_assign"),
        *_text("language", "avatar", "welcome", "landline", "remark", "signature", "details", "notes"),
        *_numbers("starred"),
        *_text("callout_number", "sip_number"),
        *_numbers("created_at", "updated_at"),
        *_blobs("checksum"),
        sa.CheckConstraint("channels IN ('all', 'im', 'call', 'ticket', 'dial')", name="ck_agents_channels"),
        sa.CheckConstraint("language IN ('zh', 'en')", name="ck_agents_language"),
        sa.CheckConstraint("level IN ('agent', 'admin')", name="ck_agents_level"),
        sa.CheckConstraint("seat IN ('plain', 'phone')", name="ck_agents_seat"),
        sa.CheckConstraint("state IN ('enabled', 'disabled', 'review')", name="ck_agents_state"),
        *(
            sa.CheckConstraint(f"{name} IN (0, 1)", name=f"ck_agents_{name}")
            for name in ("auto_assign", "employed", "leads", "starred")
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "position_id"],
            ["positions.company_id", "positions.id"],
            name="fk_agents_position",
            **DEFERRED,
        ),
        sa.ForeignKeyConstraint(
            ["company_id", "profile_id"],
            ["profile_records.company_id", "profile_records.id"],
            name="fk_agents_profile",
            **DEFERRED,
        ),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_agents_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_agents"),
        **STRICT,
    )


def _indexes_of_agents() -> None:
    op.create_index("uq_agents_email", "agents", ["company_id", sa.text("lower(email)")], unique=True)
    op.create_index("ix_agents_email", "agents", [sa.text("lower(email)")])
    op.create_index("ix_agents_position", "agents", ["company_id", "position_id"])
    op.create_index("ix_agents_profile", "agents", ["company_id", "profile_id"])


def _changes() -> None:
    op.create_table(
        "changes",
        *_numbers("company_id", "number", "ordinal"),
        *_text("kind"),
        *_numbers("record_id"),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id", "number"], ["commits.company_id", "commits.number"], name="fk_changes_commit", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("company_id", "number", "ordinal", name="pk_changes"),
        **STRICT,
    )


def _keys() -> None:
    op.create_table(
        "keys",
        *_numbers("company_id", "id", "agent_id"),
        *_text("name", "access", "dialects"),
        *_numbers("created_at"),
        sa.Column("expires_at", INTEGER, nullable=True),
        sa.Column("revoked_at", INTEGER, nullable=True),
        *_blobs("checksum"),
        sa.CheckConstraint("access IN ('read', 'write')", name="ck_keys_access"),
        sa.ForeignKeyConstraint(
            ["company_id", "agent_id"], ["agents.company_id", "agents.id"], name="fk_keys_agent", **DEFERRED
        ),
        sa.ForeignKeyConstraint(["company_id"], ["companies.company_id"], name="fk_keys_company", **DEFERRED),
        sa.PrimaryKeyConstraint("company_id", "id", name="pk_keys"),
        **STRICT,
    )
    op.create_index("ix_keys_agent", "keys", ["company_id", "agent_id"])


def _link(name: str, held: str, table: str) -> None:
    op.create_table(
        name,
        *_numbers("company_id", "agent_id", f"{held}_id"),
        sa.ForeignKeyConstraint(
            ["company_id", "agent_id"], ["agents.company_id", "agents.id"], name=f"fk_{name}_agent", **DEFERRED
        ),
        sa.ForeignKeyConstraint(
            ["company_id", f"{held}_id"], [f"{table}.company_id", f"{table}.id"], name=f"fk_{name}_{held}", **DEFERRED
        ),
        sa.PrimaryKeyConstraint("company_id", "agent_id", f"{held}_id", name=f"pk_{name}"),
        **STRICT,
    )
    op.create_index(f"ix_{name}_{held}", name, ["company_id", f"{held}_id"])


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, INTEGER, nullable=False) for name in names]


def _blobs(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]

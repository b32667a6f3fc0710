"""The history of collections: who made each version, and what classes and supports were before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables; the history of existing collections begins with their version now."""
    op.add_column(
        "collection", sa.Column("oldest_version", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute("UPDATE collection SET oldest_version = version")
    op.create_table(
        "change",
        sa.Column("id", BIG_KEY, primary_key=True),
        _collection(),
        sa.Column("from_version", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("rule_before", sa.JSON(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_change_version", "change", ["collection_id", "version"], unique=True)
    op.create_table(
        "class_past",
        sa.Column("id", BIG_KEY, primary_key=True),
        _collection(),
        sa.Column("class_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
    )
    op.create_index("ix_class_past_until", "class_past", ["collection_id", "until"])
    op.create_table(
        "support_past",
        sa.Column("id", BIG_KEY, primary_key=True),
        _collection(),
        sa.Column("support_id", sa.BigInteger(), nullable=False),
        sa.Column("class_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_support_past_until", "support_past", ["collection_id", "until"])
    op.create_index("ix_support_past_support", "support_past", ["support_id"])


def _collection() -> sa.Column[int]:
    return sa.Column(
        "collection_id", BIG_KEY, sa.ForeignKey("collection.id", ondelete="CASCADE"), nullable=False
    )

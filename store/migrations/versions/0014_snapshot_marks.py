"""Marks of snapshots: a record knows the snapshots of its own history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the table; snapshots without a mark are rebuilt from the record once."""
    op.create_table(
        "snapshot_mark",
        sa.Column(
            "collection_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("collection.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("token", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.Float(), nullable=False),
    )

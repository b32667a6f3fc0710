"""Collections may have several labels a picture: their supports belong to label sets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table; every collection so far has one label a picture."""
    op.add_column("collection", sa.Column("labels", sa.Text(), nullable=False, server_default="one"))
    op.add_column("class", sa.Column("complete", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "class_member",
        sa.Column("set_id", BIG_KEY, sa.ForeignKey("class.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("label_id", BIG_KEY, sa.ForeignKey("class.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("ix_class_member_label", "class_member", ["label_id"])

"""Count live answers by hour and caller, and keep how sure an answer was that is reviewed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"


def upgrade() -> None:
    """Add the tables, empty: answers given so far are not counted."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "settled_answers",
        sa.Column("id", big, primary_key=True),
        sa.Column("collection_id", big, sa.ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_settled_answers_collection_id", "settled_answers", ["collection_id"])
    op.create_table(
        "live_answers",
        sa.Column("collection_id", big, sa.ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("caller", sa.Text(), primary_key=True),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
    op.add_column("review", sa.Column("confidence", sa.Float(), nullable=True))

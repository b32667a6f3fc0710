"""Reviews that enrol their picture, and the calls that gave them: pages in an order stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the columns; no review so far enrols anything, and all come before later calls."""
    for column in (
        sa.Column("enroll", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("enroll_job", sa.Text(), nullable=True),
        sa.Column("support_id", sa.BigInteger(), nullable=True),
        sa.Column("class_id", sa.BigInteger(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
    ):
        op.add_column("review", column)
    op.create_index("ix_review_support", "review", ["support_id"])
    for table, name in (("job", "review_calls"), ("review", "call")):
        op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))

"""Reviews that enrol their picture, and the jobs that do so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"


def upgrade() -> None:
    """Add the columns; no review so far enrols anything."""
    op.add_column("job", sa.Column("reviews_of", sa.Text(), nullable=True))
    for column in (
        sa.Column("enroll", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("enroll_job", sa.Text(), nullable=True),
        sa.Column("support_id", sa.BigInteger(), nullable=True),
        sa.Column("class_id", sa.BigInteger(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
    ):
        op.add_column("review", column)
    op.create_index("ix_review_support", "review", ["support_id"])

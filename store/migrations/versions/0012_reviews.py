"""Reviews: what people say about the answers of a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "review",
        sa.Column("job_id", sa.Text(), sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("item", sa.Integer(), primary_key=True),
        sa.Column("answered", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("reviewed_at", sa.Float(), nullable=False),
    )

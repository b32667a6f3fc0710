"""Smoothing: the jobs to be smoothed, and the names of their smoothing inputs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("job", sa.Column("smooth", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("job", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("tally", sa.Column("kept", sa.Text(), nullable=True))
    op.create_table(
        "smoothing",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_smoothing_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_smoothing")),
    )

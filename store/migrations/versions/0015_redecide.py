"""Vectors of answered items, versions of answers, and jobs that concern another job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns and tables; jobs answered before have one version and no vectors."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("job", sa.Column("target", sa.Text(), nullable=True))
    op.add_column("job", sa.Column("options", sa.JSON(none_as_null=True), nullable=True))
    has_target = sa.text("target IS NOT NULL")
    op.create_index("ix_job_target", "job", ["target"], sqlite_where=has_target, postgresql_where=has_target)
    op.create_table(
        "item_vectors",
        sa.Column("chunk_id", big, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.Text(), sa.ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
        sa.Column("first_item", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_item_vectors_job", "item_vectors", ["job_id", "first_item"])
    op.create_table(
        "answer_version",
        sa.Column("job_id", sa.Text(), sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("redecide_id", sa.Text(), nullable=False),
        sa.Column("index_version", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "past_results",
        sa.Column("chunk_id", big, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.Text(), sa.ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first_item", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("results", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_past_results_job", "past_results", ["job_id", "first_item"])

"""Change of encoder: a second vector per support, and the probes of encoders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns and the table; existing supports were embedded when their collection was created."""
    op.add_column("collection", sa.Column("slot", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("collection", sa.Column("embedded_at", sa.Float(), nullable=False, server_default="0"))
    op.execute("UPDATE collection SET embedded_at = created_at")
    op.add_column("support", sa.Column("vector_1", sa.LargeBinary(), nullable=True))
    op.create_table(
        "reindex",
        sa.Column("collection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("passed", sa.BigInteger(), nullable=False),
        sa.Column("switched", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_reindex_collection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_reindex")),
    )
    op.create_table(
        "probe",
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("encoder", name=op.f("pk_probe")),
    )

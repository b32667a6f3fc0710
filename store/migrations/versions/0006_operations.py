"""Operations: the origin of each job, and the metrics of workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("job", sa.Column("origin", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("worker", sa.Column("lanes", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("worker", sa.Column("moved_at", sa.Float(), nullable=True))
    op.add_column("worker", sa.Column("figures", sa.Text(), nullable=True))

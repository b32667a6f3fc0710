"""The calls that gave the reviews of a job, counted, so that pages in an order stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the columns; the reviews so far come before all others."""
    for table, name in (("job", "review_calls"), ("review", "call")):
        op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))

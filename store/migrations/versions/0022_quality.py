"""Keep a collection's quality settings, and of a review whether the answer needed no person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the columns; collections have the default settings, and no answer so far was automatic."""
    op.add_column("collection", sa.Column("quality", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("review", sa.Column("automatic", sa.Boolean(), nullable=True))

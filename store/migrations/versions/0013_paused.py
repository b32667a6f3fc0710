"""Paused jobs by an index: a submission counts what they hold, and must not scan finished jobs for it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the index; it holds paused jobs only, so it is small."""
    paused = text("state = 'paused'")
    columns = ["total", "done", "failed"]
    op.create_index("ix_job_paused", "job", columns, sqlite_where=paused, postgresql_where=paused)

"""The connection to the record: SQLite for one machine, PostgreSQL for many."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.errors import ExemplarError

CHECK_AFTER_S = 5.0  # without use
SQLITE_PATIENCE_S = 30.0  # for the lock of another connection
AT_ONCE = 1000  # of the 32766 parameters that one statement may have
NO_PRIVILEGE = "42501"  # PostgreSQL's code
# client side: without these, an unreachable server is waited for as long as TCP retries, minutes or hours
POSTGRES_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# server side: without these, an unreachable client keeps its locks as long
POSTGRES_GUARDS = {
    "idle_in_transaction_session_timeout": "20s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}

T = TypeVar("T")


class Database:
    """One engine, and the two ways to use it: `read()` and `write()`, one transaction each."""

    def __init__(self, url: str, *, history: bool = True) -> None:
        """With `history`, what is changed or deleted is kept for a while."""
        self.url = url
        self._history = history
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url)

    @property
    def name(self) -> str:
        """Identifies this record, without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    @contextmanager
    def read(self, *, patient: bool = False) -> Iterator[Connection]:
        """A read-only transaction: one snapshot, no lock. Raises `record_unavailable`.

        A `patient` one may be idle for long between two statements.
        """
        with _translated(), self.engine.connect() as connection:
            connection.execution_options(exemplar_reads=True)
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if patient and not self.is_sqlite:
                    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that writes, committed at the end. Raises `record_unavailable`.

        One that is not `durable` waits for no disk: it may be undone by a power failure, with all after it,
        until the next durable one. That suits what is done again then, such as a lease.
        """
        with _translated(), self.engine.connect() as connection:
            connection.execution_options(exemplar_durable=durable, exemplar_history=self._history)
            with connection.begin():
                if not durable and not self.is_sqlite:
                    connection.execute(text("SET LOCAL synchronous_commit = off"))
                yield connection

    def scrub(self) -> None:
        """Empty SQLite's write-ahead log, which holds what was overwritten; PostgreSQL keeps no such file."""
        if self.is_sqlite:
            with _translated(), closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections, those in use as soon as they are returned."""
        event.listen(self.engine.pool, "checkin", lambda _, record: record.invalidate())
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise ExemplarError(
            "record_unavailable", f"the record did not answer: {error.orig}; try again shortly", retry=True
        ) from error
    except PoolTimeoutError as error:
        raise ExemplarError(
            "record_unavailable", "every connection to the record is busy; try again shortly", retry=True
        ) from error
    except DataError as error:  # PostgreSQL keeps no NUL in text
        raise ExemplarError("request_invalid", f"the record cannot hold this value: {error.orig}") from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != NO_PRIVILEGE:
            raise
        cause = str(error.orig).partition("\n")[0]
        raise ExemplarError(
            "record_forbidden",
            f"the record's user has too few rights: {cause}; let it own the database, or grant it CREATE on "
            "the schema public",
        ) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise ExemplarError(
            "record_unavailable", "the record's connection broke; try again shortly", retry=True
        ) from error


def _postgres_engine(url: str) -> Engine:
    asked = make_url(url).query
    connect_args: dict[str, Any] = {
        name: value for name, value in POSTGRES_PATIENCE.items() if name not in asked
    }
    # with a database in SQL_ASCII text would come as bytes, before `ensure_schema` can refuse it
    connect_args["client_encoding"] = "utf8"
    # behind PgBouncer in transaction mode the next statement may meet another server's prepared ones
    connect_args["prepare_threshold"] = None
    engine = create_engine(url, pool_use_lifo=True, connect_args=connect_args)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:  # release the locks of a host that is cut off
            cursor.execute("; ".join(f"SET {name} = '{value}'" for name, value in POSTGRES_GUARDS.items()))
        connection.commit()

    @event.listens_for(engine, "checkin")
    def _note(_: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _: Any) -> None:
        """Replace a connection that broke while it was idle; one in use lately needs no such question."""
        if time.monotonic() - record.info.get("used_at", time.monotonic()) < CHECK_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error

    return engine


def _sqlite_engine(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": SQLITE_PATIENCE_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin event sends BEGIN, not the driver
        _keep_log(connection)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        reads = options.get("exemplar_reads", False)
        if not reads:
            durable = options.get("exemplar_durable", True)
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        # a writer takes the lock at BEGIN: upgrading a read lock later fails instead of waiting
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _keep_log(connection: sqlite3.Connection) -> None:
    """Use a write-ahead log. SQLite itself does not wait where another process has just opened a new file."""
    until = time.monotonic() + SQLITE_PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def slices(values: Sequence[T]) -> list[Sequence[T]]:
    """Return values in parts that one statement can take as parameters."""
    return [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]

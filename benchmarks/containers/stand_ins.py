"""Stand-ins for the base images, made from Debian's packages where no registry answers.

They have the names of what they stand in for, so that the Dockerfile and the compose file are used as they
are, and the label `exemplar.stand-in`. They are for trying the service, not for running it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.containers.machine import run

SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LABEL = "exemplar.stand-in"
# as Debian's slim images: no documentation, manual pages or translations
SLIM = "".join(f"path-exclude /usr/share/{name}/*\n" for name in ("doc", "man", "info", "locale"))

POSTGRES = r"""#!/bin/sh
# as the official image, for a new data folder: user and database of the variables, a password from a file
set -e
export PATH="$(echo /usr/lib/postgresql/*/bin):$PATH" PGDATA=/var/lib/postgresql/data
install -d -o postgres -g postgres -m 700 "$PGDATA"
as() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  tr -d '\n' < "$POSTGRES_PASSWORD_FILE" > /tmp/password
  chown postgres /tmp/password
  as initdb -E UTF8 --locale=C.UTF-8 -U "$POSTGRES_USER" --pwfile=/tmp/password \
    -A scram-sha-256 --auth-local=trust >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  as pg_ctl -w -o "-c listen_addresses= -k /tmp" start >/dev/null
  as createdb -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB"
  as pg_ctl -w -m fast stop >/dev/null
fi
install -d -o postgres /var/run/postgresql
exec setpriv --reuid postgres --regid postgres --init-groups postgres -c 'listen_addresses=*'
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """An image to build: what it stands in for, its packages, and changes of its settings."""

    name: str
    packages: tuple[str, ...]
    changes: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()


PYTHON = StandIn(
    "docker.io/library/python:3.11-slim",
    ("python3", "python3-venv", "python3-pip", "ca-certificates"),
    (
        f"ENV SSL_CERT_FILE={CERTIFICATES}",
        "ENV UV_SYSTEM_CERTS=1",
        f"ENV PIP_CERT={CERTIFICATES}",
        "CMD python3",
    ),
    commands=(
        "ln -s /usr/bin/python3 /usr/local/bin/python",
        "rm /usr/lib/python3.11/EXTERNALLY-MANAGED",
    ),
)
REDIS = StandIn(
    "docker.io/library/redis:7.4",
    ("redis-server",),
    ("USER redis", "WORKDIR /data"),
    commands=("install -d -o redis /data",),
)
DATABASE = StandIn(
    "docker.io/library/postgres:17",
    ("postgresql",),
    ('ENTRYPOINT ["/entry"]', "STOPSIGNAL SIGINT"),
    (("entry", POSTGRES),),
    ("rm -rf /var/lib/postgresql/*/main", "chmod 755 /entry"),
)


def base_images() -> dict[str, bool]:
    """Make sure of the three base images; return which of them are stand-ins."""
    return {one.name: _is_stand_in(one) for one in (PYTHON, REDIS, DATABASE)}


def _is_stand_in(one: StandIn) -> bool:
    here = subprocess.run(["podman", "image", "exists", one.name], check=False).returncode == 0
    if (
        not here
        and subprocess.run(["podman", "pull", "-q", one.name], capture_output=True, check=False).returncode
    ):
        _build(one)
    return LABEL in run("podman", "image", "inspect", "--format", "{{.Labels}}", one.name)


def _build(one: StandIn) -> None:
    with tempfile.TemporaryDirectory(prefix="exemplar-base-") as folder:
        root = Path(folder)
        run("debootstrap", "--variant=minbase", SUITE, folder, MIRROR)
        (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(SLIM)
        _like_this_machine(root)
        run("chroot", folder, "apt-get", "update", "-qq")
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *one.packages)
        run("chroot", folder, *install, DEBIAN_FRONTEND="noninteractive")
        if CERTIFICATES.exists():  # those that this machine trusts, after the package has written its own
            (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
            shutil.copy(CERTIFICATES, root / "etc/ssl/certs")
        for name, content in one.files:
            (root / name).write_text(content)
        for command in one.commands:
            run("chroot", folder, "sh", "-c", command)
        for part in (
            "var/lib/apt/lists",
            "var/cache/apt",
            "usr/share/doc",
            "usr/share/man",
            "usr/share/locale",
        ):
            shutil.rmtree(root / part, ignore_errors=True)
        changes = [
            part for change in (*one.changes, f"LABEL {LABEL}=debian") for part in ("--change", change)
        ]
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["podman", "import", "-q", *changes, "-", one.name], stdin=archive.stdout, check=True)
        if archive.wait():
            raise RuntimeError(f"tar could not read {folder}")


def _like_this_machine(root: Path) -> None:
    """Use this machine's package sources and name servers."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    if sources.exists():
        (root / "etc/apt/sources.list").write_text("")
        (root / "etc/apt/sources.list.d").mkdir(exist_ok=True)
        shutil.copy(sources, root / "etc/apt/sources.list.d")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")

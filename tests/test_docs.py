"""The documentation is complete and names nothing that does not exist."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, exemplar
from core.collections import Rule
from core.settings import PREFIX, Settings
from store.blobs import PICTURES
from store.migrate import ensure_schema
from store.store import open_store
from tests.tiny import DEFAULT

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PACKAGES = ("api", "cli", "client", "core", "encoders", "formats", "index", "runtime", "store", "worker")
ERRORS = {"ExemplarError", "ServiceError"}


def settings_table() -> str:
    """The table of docs/settings.md, generated from the settings."""
    lines = ["| name | default | what |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        lines.append(f"| `{PREFIX}{name.upper()}` | `{default or ' '}` | {field.description} |")
    return "\n".join(lines)


def test_settings_page_holds_the_table_of_settings() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert settings_table() in page, "run: python -m tests.test_docs > docs/settings.md"


def test_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in COMMANDS if f"exemplar {name}" not in readme]
    assert not missing


def test_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    names = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    assert not {name for name in names if f"({name}" not in readme}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def leads_somewhere(page: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = page.parent / file if file else page
    return target.exists() and (not anchor or anchor in anchors(target))


def test_links_lead_somewhere() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    lost = [
        (page.name, link)
        for page, link in links
        if not re.match(r"[a-z]+:", link) and not leads_somewhere(page, link)
    ]
    assert links and not lost


def codes() -> set[str]:
    """Every error code that is raised."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    raised = (node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS)
    firsts = (node.args[0] for node in raised if node.args)
    return {first.value for first in firsts if isinstance(first, ast.Constant)}


@pytest.mark.slow
def test_every_code_is_named() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert "settings_invalid" in codes()
    assert not {code for code in codes() if f"`{code}`" not in text}


def sh_blocks(page: Path) -> list[str]:
    """The shell commands of a page."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [block.replace("\\\n", " ") for block in blocks]


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words after `exemplar` wherever a page runs it."""
    for line in "".join(sh_blocks(page)).splitlines():
        found = re.match(r" *(?:until )?(?:\w+=\S+ )*(?:\.venv/bin/)?exemplar (.*)", line)
        if found:
            words = shlex.split(found[1].partition(";")[0], comments=True)
            yield words[: words.index(">>") if ">>" in words else None]


def invalid_word(words: list[str]) -> str | None:
    """A word of a command line that its command does not have: a subcommand or an option."""
    command: click.Command = exemplar
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            return name
        command = found
    options = {option for parameter in command.get_params(context) for option in parameter.opts}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word not in options]
    return unknown[0] if unknown else None


def test_commands_of_the_documents_exist() -> None:
    lines = [(page.name, words) for page in PAGES for words in command_lines(page)]
    assert lines and not [(page, words, invalid_word(words)) for page, words in lines if invalid_word(words)]


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert invalid_word(["classify", "a.jpg", "--colection", "things"]) == "--colection"
    assert invalid_word(["reindex", "begin", "things"]) == "begin"
    assert list(command_lines(ROOT / "docs" / "quickstart.md"))


@pytest.mark.processes
def test_backup_of_one_machine_is_restored_as_the_page_says(tmp_path: Path, redis_url: str) -> None:
    """The commands of docs/operations.md except the last, which leaves the service running."""
    settings = Settings(data=tmp_path / "exemplar-data")
    settings.data.mkdir()
    store = open_store(settings)
    ensure_schema(store.database)
    store.collections.create("things", DEFAULT, Rule())
    digest = store.blobs.put(PICTURES, b"a picture")
    page = ROOT / "docs" / "operations.md"
    backup = next(block for block in sh_blocks(page) if "VACUUM INTO" in block)
    restore = next(block for block in sh_blocks(page) if block.startswith("mkdir restored"))
    commands = f"set -e\n{backup}{restore}".replace("exemplar up --data restored\n", "")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "EXEMPLAR_REDIS_URL": redis_url}
    subprocess.run(["bash", "-c", commands], cwd=tmp_path, env=environment, check=True, timeout=280)
    restored = open_store(Settings(data=tmp_path / "restored"))
    assert restored.collections.get("things").name == "things"
    assert restored.blobs.open(PICTURES, digest).read() == b"a picture"
    store.database.close()
    restored.database.close()


def test_compose_file_holds_no_password() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert "POSTGRES_PASSWORD:" not in text
    assert "requirepass %s" in text


def test_services_of_the_compose_file_run_commands_that_exist() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert '["exemplar", "api"' in dockerfile and '["exemplar", "worker"]' in dockerfile
    assert {"api", "worker", "keys"} <= set(COMMANDS)


if __name__ == "__main__":
    print("# Settings\n")
    print(
        "Each is an environment variable; `exemplar up` and others take some as options. A name with `_FILE`"
    )
    print(
        "behind it is read from that file, as secrets are in containers. An unknown `EXEMPLAR_` name is an "
        "error.\n"
    )
    print(settings_table())

"""The documents are true: every setting, command and error code is in them."""

from __future__ import annotations

from pathlib import Path

from cli.main import COMMANDS
from core.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]


def settings_table() -> str:
    """The table of docs/settings.md, made from the settings themselves."""
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

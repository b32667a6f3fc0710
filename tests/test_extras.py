"""What runs without the packages of an extra, and what says which extra it needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cli.main import COMMANDS
from core.errors import ExemplarError
from core.packages import EXTRA_OF, require_packages

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
NEEDS = {"demo": "all", "evaluate": "worker"}
# `None` makes Python's import system report a module as not installed
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA_OF)!r})); "


HELP = """
import io, json
from contextlib import redirect_stderr, redirect_stdout
from cli.main import COMMANDS, main
for command in sorted(COMMANDS):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main([command, "--help"])
        except SystemExit as end:
            code = end.code
    print(json.dumps([command, code, out.getvalue(), err.getvalue()]))
"""


def without_extras(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT + script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def helped() -> dict[str, tuple[int, str, str]]:
    """The exit code, output and errors of each command's help, one after the other in one process."""
    done = without_extras(HELP)
    assert (done.returncode, done.stderr) == (0, "")
    return {
        command: (code, out, err) for command, code, out, err in map(json.loads, done.stdout.splitlines())
    }


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_each_package_is_in_the_extra_that_is_named() -> None:
    extras, names = project()["optional-dependencies"], packages_distributions()
    for module, extra in EXTRA_OF.items():
        required = "\n".join(extras[extra]).replace("_", "-")
        assert any(name.replace("_", "-") in required for name in names[module]), module


def test_extra_all_has_the_others_that_up_and_demo_use() -> None:
    assert "exemplar[worker,parquet]" in project()["optional-dependencies"]["all"]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_command_loads_without_extras_or_names_the_one_it_needs(
    helped: dict[str, tuple[int, str, str]], command: str
) -> None:
    code, out, err = helped[command]
    if command in NEEDS:
        assert code == 2
        assert err.count("\n") == 1 and f"'exemplar[{NEEDS[command]}]' (package_missing)" in err
    else:
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: exemplar {command} ")


@pytest.mark.parametrize("arguments", [["worker"], ["encoders", "list", "--open"], ["up"]])
def test_command_that_comes_to_need_an_extra_names_it(arguments: list[str], tmp_path: Path) -> None:
    done = without_extras(
        f"from cli.main import main; import os; os.chdir({str(tmp_path)!r}); main({arguments!r})"
    )
    assert done.returncode == 2
    extra = "all" if arguments == ["up"] else "worker"
    assert f"'exemplar[{extra}]' (package_missing)" in done.stderr


def test_api_and_migrations_need_no_extra(tmp_path: Path) -> None:
    script = (
        "import pkgutil, importlib, api; "
        "[importlib.import_module(one.name) for one in pkgutil.walk_packages(api.__path__, 'api.')]; "
        f"from cli.main import main; main(['migrate', '--data', {str(tmp_path)!r}])"
    )
    done = without_extras(script)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "record.sqlite").is_file()


def test_what_is_installed_is_not_refused() -> None:
    require_packages("this test", "json", "numpy")
    with pytest.raises(ExemplarError, match="this test needs the package pyarrow"):
        sys_modules = sys.modules.copy()
        try:
            sys.modules["pyarrow"] = None  # type: ignore[assignment]
            require_packages("this test", "pyarrow")
        finally:
            sys.modules.update(sys_modules)
            if "pyarrow" not in sys_modules:
                del sys.modules["pyarrow"]

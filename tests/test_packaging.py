"""What an installation puts into an environment, and that it starts there."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]


def wheel_of(project: Path, folder: Path) -> zipfile.ZipFile:
    """Build a wheel without the network, as pip does within its own environment."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=project, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of the service."""
    return wheel_of(ROOT, tmp_path_factory.mktemp("wheel"))


def packages_in(wheel: zipfile.ZipFile) -> set[str]:
    found = {name.split("/")[0] for name in wheel.namelist()}
    return {name for name in found if not name.endswith(".dist-info")}


def test_wheels_add_no_package_of_a_common_name(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    assert packages_in(wheel) == {"exemplar_service.py", "_exemplar_service"}
    assert packages_in(wheel_of(ROOT / "client", tmp_path)) == {"exemplar_client"}


def test_wheel_holds_each_file_that_the_service_reads(wheel: zipfile.ZipFile) -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = build["targets"]["wheel"]["sources"]
    tracked = subprocess.check_output(["git", "ls-files", *packages], cwd=ROOT, text=True).splitlines()
    held = set(wheel.namelist())
    assert [name for name in tracked if f"_exemplar_service/{name}" not in held] == []


def test_unpacked_wheel_runs_its_own_packages(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    site = tmp_path / "site"
    wheel.extractall(site)
    (tmp_path / "cli").mkdir()  # a folder of the user's is no package of ours
    (tmp_path / "cli" / "__init__.py").write_text("raise SystemExit('the wrong package')")

    def run(*arguments: str) -> str:
        command, environment = [sys.executable, *arguments], {"PYTHONPATH": str(site), "PATH": ""}
        return subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)

    shown = run("-c", "import exemplar_service, cli, api; print(cli.__file__, api.__file__)")
    assert shown.count(str(site / "_exemplar_service")) == 2
    assert "efficientnet_lite2" in run("-m", "exemplar_service", "encoders", "list")

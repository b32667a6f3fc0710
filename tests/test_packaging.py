"""What an installation puts into an environment, and that it starts there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from deploy.licences import rows

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


def built(kind: str, project: Path, folder: Path) -> bytes:
    """Build a wheel or an sdist and return its bytes."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(build, cwd=project, check=True, capture_output=True)
    [path] = folder.iterdir()
    return path.read_bytes()


def copied(folder: Path) -> Path:
    """Return a copy of the tracked files, with other times."""
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)  # not copy2: the times are new
    return folder


@pytest.mark.parametrize("project", [".", "client"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_builds_of_the_same_files_are_the_same_bytes(kind: str, project: str, tmp_path: Path) -> None:
    copies = [copied(tmp_path / name) / project for name in ("one", "two")]
    first, second = (built(kind, copy, tmp_path / f"made{n}") for n, copy in enumerate(copies))
    assert first == second


def test_sdist_builds_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    copy = copied(tmp_path / "copy")
    content = built("sdist", copy, tmp_path / "made")
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    again = wheel_of(unpacked, tmp_path / "again")
    assert {name: again.read(name) for name in again.namelist()} == {
        name: wheel.read(name) for name in wheel.namelist()
    }


def test_version_is_one_and_the_changelog_dates_each_release() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    client = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]["version"]
    assert client == version
    assert f"ARG VERSION={version}\n" in (ROOT / "Dockerfile").read_text()
    example = (ROOT / "deploy" / "kubernetes" / "example" / "kustomization.yaml").read_text()
    assert set(re.findall(r"newTag: (\S+?)}", example)) == {version}
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0].startswith(f"{version} ")
    assert all(
        re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", one) for one in headings if one != "Unreleased"
    )


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


def test_wheels_install_in_an_empty_environment_with_their_commands(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    client = wheel_of(ROOT / "client", tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "new")], check=True)
    python = tmp_path / "new" / "bin" / "python"
    offline = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", *offline]
    subprocess.run([*install, str(wheel.filename), str(client.filename)], check=True, capture_output=True)
    # without a network the packages it needs are borrowed; those just installed come first
    [site] = (tmp_path / "new").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))

    def run(*command: str) -> str:
        return subprocess.check_output(command, cwd=tmp_path, env={"PATH": ""}, text=True)

    shown = run(
        str(python),
        "-c",
        "import exemplar_service, exemplar_client, api; print(api.__file__, exemplar_client.__file__)",
    )
    assert shown.count(str(site)) == 2
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version in run(str(python.with_name("exemplar")), "--version")


def test_licences_name_each_locked_package_that_is_installed() -> None:
    page = (ROOT / "docs" / "licences.md").read_text()
    listed = set(re.findall(r"^\| ([a-z0-9.-]+) \| \S+ \| \S", page, re.MULTILINE)) - {"package"}
    assert {row.split()[1] for row in rows()} == listed
    assert "UNKNOWN" not in page

"""Names in messages and ids: the command as it is typed, files, collections, and what was meant."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from cli.client import Client
from cli.command_name import command_name
from cli.confirm import confirm
from cli.file_names import external_id, relative_name, shown_name
from cli.main import exemplar
from cli.which_collection import ensure_collection, which_collection
from core.caller_fields import MAX_ID
from core.errors import ExemplarError

Refused = Callable[[], object]


def code_of(call: Refused) -> tuple[str, str]:
    with pytest.raises(ExemplarError) as caught:
        call()
    return caught.value.code, caught.value.message


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation's own folder with its script, and an empty PATH."""
    script = tmp_path / "tools" / "exemplar" / "bin" / "exemplar"
    script.parent.mkdir(parents=True)
    script.touch(0o755)
    (tmp_path / "on-path").mkdir()
    monkeypatch.setattr(sys, "prefix", str(script.parents[1]))
    monkeypatch.setenv("PATH", str(tmp_path / "on-path"))
    yield script


def test_command_is_its_name_where_a_link_on_the_path_starts_it(installation: Path, tmp_path: Path) -> None:
    (tmp_path / "on-path" / "exemplar").symlink_to(installation)  # as `uv tool install` makes it
    assert command_name() == "exemplar"


def test_command_is_its_name_where_its_script_lies_apart_from_its_packages(
    installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.unlink()
    script = tmp_path / "on-path" / "exemplar"  # as in the images
    script.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert command_name() == "exemplar"


def test_command_is_its_path_where_the_name_starts_another_installation(
    installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "on-path" / "exemplar").touch(0o755)
    assert command_name() == str(installation)
    monkeypatch.chdir(tmp_path)
    assert command_name() == "tools/exemplar/bin/exemplar"


def test_command_without_a_script_is_a_module(installation: Path) -> None:
    installation.unlink()
    assert command_name() == f"{sys.executable} -m exemplar_service"


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["clasify", "a.jpg"], "'clasify'; did you mean classify?"),
        (["collections", "lst"], "'lst'; did you mean list?"),
        (["supports", "mvoe"], "'mvoe'; did you mean move?"),
        (["frobnicate"], "there is no command 'frobnicate'\n"),
    ],
)
def test_mistyped_command_is_answered_with_the_nearest(arguments: list[str], meant: str) -> None:
    result = CliRunner().invoke(exemplar, arguments)
    assert result.exit_code == 2 and meant in result.output


@pytest.mark.parametrize(
    ("given", "file", "name"),
    [
        ("photos", "photos/robin/1.jpg", "robin/1.jpg"),
        ("photos/robin", "photos/robin/1.jpg", "robin/1.jpg"),
        ("/somewhere/photos", "/somewhere/photos/a/b/1.jpg", "a/b/1.jpg"),
        ("robin/1.jpg", "robin/1.jpg", "robin/1.jpg"),
        ("/somewhere/robin/1.jpg", "/somewhere/robin/1.jpg", "robin/1.jpg"),
    ],
)
def test_picture_is_named_by_its_path_below_what_was_given(given: str, file: str, name: str) -> None:
    assert relative_name(Path(file), Path(given)) == name


def test_folder_given_as_a_dot_gives_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "robin").mkdir()
    monkeypatch.chdir(tmp_path / "robin")
    assert relative_name(Path("1.jpg"), Path()) == "robin/1.jpg"
    assert relative_name(Path("../robin/1.jpg"), Path("../robin/1.jpg")) == "robin/1.jpg"


def test_external_id_holds_any_file_name() -> None:
    assert external_id(os.fsdecode(b"a\xff\n.jpg")) == "a\\xff\N{REPLACEMENT CHARACTER}.jpg"
    assert external_id("x" * 500 + "/1.jpg") == ("x" * 500 + "/1.jpg")[-MAX_ID:]
    assert shown_name(Path(os.fsdecode(b"\xff.jpg"))) == "\\xff.jpg"


class Service(Client):
    """A service with these collections, for a key that may see them or not."""

    may_see = True

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def pages(self, path: str, **query: str) -> list[dict[str, str]]:  # type: ignore[override]
        assert path == "/v1/collections"
        return [{"name": name} for name in self.names]

    def call(self, method: str, path: str, **options: object) -> httpx.Response:
        if not self.may_see:
            raise ExemplarError("key_scope_missing", "this key lacks the scope 'classify'")
        if path.rpartition("/")[2] not in self.names:
            raise ExemplarError("collection_not_found", "there is no such collection")
        return httpx.Response(200)

    def ensure_collection(self, name: str, **options: object) -> None:
        self.names.append(name)


def test_only_collection_is_meant_where_none_is_named() -> None:
    assert which_collection(Service("birds"), None) == "birds"
    assert which_collection(Service("birds", "cars"), "cars") == "cars"


def test_several_collections_are_listed_where_none_is_named() -> None:
    many = [f"c{number}" for number in range(25)]
    assert code_of(lambda: which_collection(Service("birds", "cars"), None)) == (
        "collection_missing",
        "name the collection with -c: birds, cars",
    )
    assert code_of(lambda: which_collection(Service(*many), None))[1].endswith("c19 and 5 more")
    assert "-c" in code_of(lambda: which_collection(Service(), None))[1]


def test_collection_is_announced_before_it_is_created(capsys: pytest.CaptureFixture[str]) -> None:
    service = Service("birds")
    assert ensure_collection(service, None) == "birds"
    assert ensure_collection(service, "brids") == "brids"
    assert service.names == ["birds", "brids"]
    assert capsys.readouterr().err == "creating the collection brids; did you mean birds?\n"


def test_key_that_may_only_enrol_need_not_see_the_collection() -> None:
    service = Service()
    service.may_see = False
    assert ensure_collection(service, "birds") == "birds"
    assert service.names == []


class Terminal:
    """Standard input: a terminal or not."""

    def __init__(self, *, is_one: bool) -> None:
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one


def test_without_a_terminal_only_yes_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(is_one=False))
    confirm("Delete it?", yes=True)
    code, message = code_of(lambda: confirm("Delete it?", yes=False))
    assert code == "not_confirmed" and "--yes" in message


@pytest.mark.parametrize("answer", [True, False])
def test_terminal_is_asked(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(is_one=True))
    monkeypatch.setattr("click.confirm", lambda *_, **__: answer)
    if answer:
        confirm("Delete it?", yes=False)
    else:
        assert code_of(lambda: confirm("Delete it?", yes=False)) == ("not_confirmed", "nothing was changed")

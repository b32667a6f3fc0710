"""Archives, manifests and folders as entries: whatever is odd fails alone, and nothing takes much memory."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import psutil
import pytest
from archives import (
    claiming,
    entries_of,
    make_tar,
    make_zip,
    patched_directory,
    tar_entry,
    zip_link,
)

from core.jobs import Source
from core.settings import Settings
from formats.entries import read_entries, read_steps

GOOD = {"cat/1.jpg": b"one", "dog/2.jpg": b"two"}
SMALL = Settings(max_picture_bytes=1000)


def outcomes(found: list) -> list[bytes | str]:
    return [outcome for _, outcome in found]


def test_folder_of_a_file_is_its_class_and_its_path_its_name() -> None:
    for archive in (make_zip(GOOD), make_tar(GOOD)):
        found = entries_of(archive, enrols=True)
        assert [(entry.label, entry.custom_id, content) for entry, content in found] == [
            ("cat", "cat/1.jpg", b"one"),
            ("dog", "dog/2.jpg", b"two"),
        ]


def test_innermost_folder_is_the_class() -> None:
    [(entry, _)] = entries_of(make_zip({"photos/train/cat/1.jpg": b"x"}), enrols=True)
    assert entry.label == "cat"


def test_file_without_folder_takes_the_label_asked_for_or_fails() -> None:
    archive = make_tar({"./1.jpg": b"x", "cat/2.jpg": b"y"})
    assert [entry.label for entry, _ in entries_of(archive, enrols=True, label="dog")] == ["dog", "cat"]
    assert outcomes(entries_of(archive, enrols=True)) == ["label_missing", b"y"]
    assert outcomes(entries_of(archive)) == [b"x", b"y"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_that_is_stored_or_deflated_is_read(compression: int) -> None:
    assert outcomes(entries_of(make_zip(GOOD, compression=compression))) == [b"one", b"two"]


@pytest.mark.parametrize(("compression", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")])
def test_zip_that_is_packed_otherwise_fails_item_by_item(compression: int, name: str) -> None:
    """`zipfile` unpacks these without a bound: 800 MB out of 449 bytes."""
    archive = patched_directory(make_zip({"cat/1.jpg": b"x", "dog/2.jpg": b"two"}), 10, "<H", compression)
    assert outcomes(entries_of(archive)) == ["member_invalid", b"two"]
    [(entry, _)] = entries_of(make_zip({"cat/1.jpg": b"one"}, compression=compression))
    assert entry.error is not None and entry.error.message.endswith(f"got {name}")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_packed_tar_is_read(pack) -> None:
    assert outcomes(entries_of(pack(make_tar(GOOD)))) == [b"one", b"two"]


def test_tar_in_several_streams_is_read() -> None:
    whole = make_tar(GOOD)
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        assert outcomes(entries_of(pack(whole[:700]) + pack(whole[700:]))) == [b"one", b"two"]


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "a/../../evil.jpg", "/etc/passwd.jpg", "C:/evil.jpg", "..\\evil.jpg"]
)
def test_path_that_leaves_the_archive_fails_alone(name: str) -> None:
    files = {name: b"evil", "cat/1.jpg": b"one"}
    assert outcomes(entries_of(make_zip(files))) == ["member_invalid", b"one"]
    if "\\" not in name:
        assert outcomes(entries_of(make_tar(files))) == ["member_invalid", b"one"]


def test_links_devices_and_pipes_fail_alone() -> None:
    types = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    odd = [tar_entry(f"cat/{number}.jpg", type_, "/etc/passwd") for number, type_ in enumerate(types)]
    assert (
        outcomes(entries_of(make_tar({"dog/1.jpg": b"one"}, more=odd))) == [b"one"] + ["member_invalid"] * 5
    )
    archive = make_zip([zip_link("cat/1.jpg", "/etc/passwd"), ("dog/1.jpg", b"one")])
    assert outcomes(entries_of(archive)) == ["member_invalid", b"one"]


def test_archive_in_an_archive_fails_alone() -> None:
    files = {"cat/more.zip": make_zip(GOOD), "cat/more.tar.gz": b"x", "cat/1.jpg": b"one"}
    for archive in (make_zip(files), make_tar(files)):
        assert outcomes(entries_of(archive)) == ["archive_nested", "archive_nested", b"one"]


def test_what_systems_leave_behind_is_left_out() -> None:
    files = {
        "__MACOSX/cat/._1.jpg": b"x", "cat/.DS_Store": b"x", "cat/Thumbs.db": b"x", ".git/config": b"x",
        "cat/1.jpg": b"one", "cat/._1.jpg": b"x", "cat/desktop.ini": b"x",
    }  # fmt: skip
    for archive in (make_zip(files), make_tar(files)):
        assert outcomes(entries_of(archive)) == [b"one"]


def test_repeated_path_fails_the_second_time() -> None:
    files = [("cat/1.jpg", b"one"), ("cat/1.jpg", b"two"), ("cat/2.jpg", b"three")]
    with pytest.warns(UserWarning):
        zipped = make_zip(files)
    for archive in (zipped, make_tar(files)):
        assert outcomes(entries_of(archive)) == [b"one", "member_repeated", b"three"]


def test_large_member_fails_alone_without_being_read() -> None:
    files = {"cat/1.jpg": bytes(1001), "cat/2.jpg": bytes(1000)}
    for archive in (make_zip(files), make_tar(files)):
        assert outcomes(entries_of(archive, settings=SMALL)) == ["picture_too_many_bytes", bytes(1000)]


@pytest.mark.parametrize(
    ("compression", "code"),
    [
        (zipfile.ZIP_STORED, "member_unreadable"),
        (zipfile.ZIP_DEFLATED, "member_unreadable"),
        (zipfile.ZIP_BZIP2, "member_invalid"),
        (zipfile.ZIP_LZMA, "member_invalid"),
    ],
)
def test_member_that_claims_to_be_small_fails_alone(compression: int, code: str) -> None:
    """The directory says 100 bytes, and 50 MB come out of it."""
    archive = make_zip({"cat/1.jpg": bytes(50_000_000)}, compression=compression)
    archive = patched_directory(archive, 24, "<L", 100)
    tracemalloc.start()
    before = psutil.Process().memory_info().rss
    assert outcomes(entries_of(archive, settings=SMALL)) == [code]
    assert psutil.Process().memory_info().rss - before < 20_000_000
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_encrypted_member_fails_alone() -> None:
    archive = patched_directory(make_zip(GOOD), 8, "<H", 1)
    assert outcomes(entries_of(archive)) == ["member_encrypted", b"two"]


def test_member_with_a_wrong_checksum_fails_alone() -> None:
    archive = patched_directory(make_zip(GOOD), 16, "<L", 12345)
    assert outcomes(entries_of(archive)) == ["member_unreadable", b"two"]


def test_member_of_an_unknown_method_fails_alone() -> None:
    archive = patched_directory(make_zip(GOOD), 10, "<H", 98)
    assert outcomes(entries_of(archive)) == ["member_invalid", b"two"]


def test_member_that_points_outside_the_zip_fails_alone() -> None:
    archive = patched_directory(make_zip(GOOD), 42, "<L", 2_000_000_000)
    assert outcomes(entries_of(archive)) == ["member_unreadable", b"two"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"plain text",
        b"PK\x05\x06",
        b"\x1f\x8b",
        b"BZh9",
        b"\xfd7zXZ\0x",
        gzip.compress(b"no tar", mtime=0),
    ],
)
def test_what_is_no_archive_says_so(content: bytes) -> None:
    assert outcomes(entries_of(content)) == ["archive_unreadable"]


def test_truncated_zip_says_so() -> None:
    assert outcomes(entries_of(make_zip(GOOD)[:-30])) == ["archive_unreadable"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_truncated_tar_gives_what_could_be_read_and_says_the_rest(pack) -> None:
    noise = os.urandom(30_000)
    whole = make_tar({"cat/1.jpg": b"one", "cat/2.jpg": noise, "cat/3.jpg": noise})
    found = outcomes(entries_of(pack(whole)[:-20_000] if pack is not bytes else whole[:-24_000]))
    assert found[-1] == "archive_unreadable"
    if pack is not bz2.compress:  # its blocks are larger than this tar
        assert found[0] == b"one"


def test_tar_that_ends_between_two_members_says_so() -> None:
    assert outcomes(entries_of(make_tar(GOOD)[:1024])) == [b"one", "archive_unreadable"]


def test_tar_with_garbage_in_it_says_so() -> None:
    whole = bytearray(make_tar(GOOD))
    whole[1024:1124] = b"\xff" * 100
    assert outcomes(entries_of(bytes(whole))) == [b"one", "archive_unreadable"]


def test_tar_with_a_negative_size_ends() -> None:
    for size in (-1, -512, -1024, -(10**9)):
        info = tarfile.TarInfo("cat/1.jpg")
        header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        header[124:136] = (256**12 + size).to_bytes(13, "big")[1:]
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header[:512]):06o}\0 ".encode()
        archive = make_tar({"dog/1.jpg": b"x"})[:1024] + bytes(header) + bytes(2048)
        assert outcomes(entries_of(archive))[-1] in ("archive_unreadable", "member_unreadable")


@pytest.mark.slow
def test_header_that_asks_for_much_memory_is_refused() -> None:
    """A tar's extended header of 300 MB of zeros, 300 KB when packed."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    info.size = 300_000_000
    archive = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(300_000_000), 1)
    tracemalloc.start()
    assert outcomes(entries_of(archive)) == ["archive_unreadable"]
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_packed_tar_stops_at_the_most_bytes_allowed() -> None:
    settings = Settings(bulk_max_unpacked_bytes=100_000, max_picture_bytes=1000)
    archive = gzip.compress(
        make_tar({"cat/1.jpg": b"one", "cat/2.bin": bytes(10_000_000), "cat/3.jpg": b"x"})
    )
    assert outcomes(entries_of(archive, settings=settings)) == [
        b"one",
        "picture_too_many_bytes",
        "archive_too_large",
    ]


def test_zip_stops_at_the_most_bytes_allowed() -> None:
    settings = Settings(bulk_max_unpacked_bytes=2500)
    archive = make_zip({f"cat/{number}.jpg": bytes(1000) for number in range(5)})
    assert outcomes(entries_of(archive, settings=settings)) == [bytes(1000), bytes(1000), "archive_too_large"]


def test_more_members_of_a_tar_than_allowed_are_left_out_and_said() -> None:
    files = {f"cat/{number}.jpg": b"x" for number in range(5)}
    found = outcomes(entries_of(make_tar(files), settings=Settings(bulk_max_items=3)))
    assert found == [b"x", b"x", b"x", "items_too_many"]


@pytest.mark.parametrize("claimed", [5, 1])
@pytest.mark.parametrize("zip64", [False, True])
def test_zip_of_more_entries_than_allowed_is_refused_whatever_it_claims(claimed: int, zip64: bool) -> None:
    archive = make_zip({f"cat/{number}.jpg": b"x" for number in range(5)})
    archive = claiming(archive, claimed, zip64=zip64)
    assert outcomes(entries_of(archive, settings=Settings(bulk_max_items=5))) == [b"x"] * 5
    [(entry, code)] = entries_of(archive, settings=Settings(bulk_max_items=3))
    assert code == "items_too_many"
    assert entry.error is not None and "at most 3 " in entry.error.message and "got 5" in entry.error.message


@pytest.mark.parametrize("claimed", [100_000, 1])
def test_entries_are_counted_before_the_directory_is_parsed(claimed: int) -> None:
    """A directory of 4.8 MB that took 53 MB more."""
    entry = b"PK\x01\x02" + bytes(24) + (2).to_bytes(2, "little") + bytes(16) + b"ab"
    end = b"PK\x05\x06" + bytes(8) + (100_000 * len(entry)).to_bytes(4, "little") + bytes(6)
    archive = claiming(b"PK\x03\x04" + entry * 100_000 + end, claimed, zip64=True)
    tracemalloc.start()
    found = outcomes(entries_of(archive, settings=Settings(bulk_max_items=50_000)))
    assert found == ["items_too_many"]
    assert tracemalloc.get_traced_memory()[1] < 12_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_file_that_is_far_too_large_is_not_unpacked_to_get_past_it(pack) -> None:
    """It claims 60 GB; 200 MB of them are there, and none is unpacked but the first block."""
    info = tarfile.TarInfo("cat/1.jpg")
    info.size = 60_000_000_000
    archive = (
        pack(make_tar({"dog/1.jpg": b"one"})[:1024] + info.tobuf(tarfile.GNU_FORMAT))
        + pack(bytes(1 << 20)) * 200
    )
    before = time.process_time()
    found = entries_of(archive)
    assert outcomes(found) == [b"one", "picture_too_many_bytes", "archive_too_large"]
    assert found[-1][0].error is not None and "got one of 60.0 GB" in found[-1][0].error.message
    assert time.process_time() - before < 0.2


def test_file_that_is_too_large_but_not_by_far_is_passed() -> None:
    files = {"cat/1.jpg": bytes(60 << 20), "cat/2.jpg": b"two"}
    found = outcomes(entries_of(gzip.compress(make_tar(files), 1)))
    assert found == ["picture_too_many_bytes", b"two"]


def test_reader_may_stop_at_files_that_are_passed_over() -> None:
    hidden = {f"cat/.{number}": b"x" for number in range(3)}
    for archive in (make_zip(hidden | GOOD), make_tar(hidden | GOOD)):
        files = io.BytesIO(archive)
        steps = read_steps(Source(archive="a"), lambda _, file=files: file, Settings(), enrols=False)
        assert [step is None for step in steps] == [True] * 3 + [False] * 2
    rows = {"manifest.jsonl": jsonl({"path": "dog/2.jpg"})}
    files = io.BytesIO(make_tar(rows | GOOD))
    steps = read_steps(Source(archive="a"), lambda _: files, Settings(), enrols=False)
    assert [step is None for step in steps] == [True, False]


@pytest.mark.slow
def test_zip_with_a_huge_directory_is_refused() -> None:
    end = b"PK\x05\x06" + bytes(4) + b"\x01\0\x01\0" + (200 << 20).to_bytes(4, "little") + bytes(6)
    archive = b"PK\x03\x04" + bytes(300 << 20) + end
    tracemalloc.start()
    files = io.BytesIO(archive)
    [entry] = read_entries(Source(archive="a"), lambda _: files, Settings(), enrols=False)
    assert entry.error is not None and entry.error.code == "archive_unreadable"
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_empty_archives_say_so() -> None:
    for archive in (make_zip({}), make_tar({}), make_zip({"cat/": b""}), make_zip({".hidden": b"x"})):
        assert outcomes(entries_of(archive)) == ["archive_empty"]


def test_odd_names_are_kept_as_far_as_they_can() -> None:
    info = zipfile.ZipInfo("x.jpg")
    info.filename = "kätze/1.jpg"
    archive = make_zip([(info, b"one")])
    unflagged = archive.replace("kätze".encode(), "kätze".encode())
    offset = unflagged.index(b"PK\x01\x02") + 8
    unflagged = unflagged[:6] + b"\0\0" + unflagged[8:offset] + b"\0\0" + unflagged[offset + 2 :]
    for one in (archive, unflagged):
        [(entry, content)] = entries_of(one, enrols=True)
        assert (entry.label, content) == ("kätze", b"one")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", encoding="latin-1", format=tarfile.GNU_FORMAT) as tar:
        info2 = tarfile.TarInfo("kätze/1.jpg")
        tar.addfile(info2)
    [(entry, _)] = entries_of(out.getvalue(), enrols=True)
    assert entry.custom_id == "k\ufffdtze/1.jpg"
    json.dumps(entry.label, ensure_ascii=False).encode()


def test_labels_that_fail_the_rule_fail_alone() -> None:
    files = {"a\u202eb/1.jpg": b"x", "l" * 129 + "/2.jpg": b"x", "cat/3.jpg": b"three"}
    for archive in (make_zip(files), make_tar(files)):
        assert outcomes(entries_of(archive, enrols=True)) == ["label_invalid", "label_too_long", b"three"]


ROWS = [
    {"path": "b.jpg", "custom_id": "second", "label": "dog", "external_id": "e", "metadata": {"by": "Zoë"}},
    {"path": "a.jpg", "label": "cat"},
    {"path": "nothing.jpg", "label": "cat"},
]


def jsonl(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_manifest_says_what_its_archive_holds() -> None:
    files = {"a.jpg": b"a", "b.jpg": b"b", "c.jpg": b"unnamed"}
    inside = {"manifest.jsonl": jsonl(*ROWS), **files}
    for kind, found in {
        "zip": entries_of(make_zip(files), jsonl(*ROWS), enrols=True),
        "zip inside": entries_of(make_zip(inside), enrols=True),
        "tar": entries_of(make_tar(files), jsonl(*ROWS), enrols=True),
        "tar inside": entries_of(make_tar(inside), enrols=True),
    }.items():
        by_id = {entry.custom_id: (entry, content) for entry, content in found}
        assert len(found) == 3, kind
        assert by_id["a.jpg"][1] == b"a" and by_id["nothing.jpg"][1] == "member_missing"
        entry, content = by_id["second"]
        assert (entry.label, entry.external_id, entry.metadata, content) == ("dog", "e", {"by": "Zoë"}, b"b")


def test_manifest_may_be_csv() -> None:
    head = "\ufeffpath,label,custom_id,metadata\r\n"
    text = (head + 'a.jpg,cat,,"{""n"": 1}"\r\n\r\nb.jpg,"dog, big",x,\r\n').encode()
    files = {"a.jpg": b"a", "b.jpg": b"b"}
    for found in (
        entries_of(make_zip(files), text, manifest_is_csv=True, enrols=True),
        entries_of(make_tar({"manifest.csv": text, **files}), enrols=True),
    ):
        assert [(e.label, e.custom_id, e.metadata, c) for e, c in found] == [
            ("cat", "a.jpg", {"n": 1}, b"a"),
            ("dog, big", "x", {}, b"b"),
        ]


def test_row_that_is_wrong_fails_alone() -> None:
    lines = [
        b"no json", b"[]", b'{"path": "a.jpg", "colour": "red"}', b"{}", b'{"path": "a.jpg", "url": "https://x"}',
        b'{"path": "\\ud800"}', b'{"path": "a.jpg", "metadata": {"x": NaN}}', b'{"path": 5}', b"\xff",
        b"[" * 60_000,
        b'{"path": "a\\u0000"}', b'{"path": "' + b"x" * 70_000 + b'"}', b'{"path": "a.jpg", "metadata": "x"}',
        b'{"path": "a.jpg"}',
    ]  # fmt: skip
    found = outcomes(entries_of(make_zip({"a.jpg": b"a"}), b"\n".join(lines)))
    assert found == ["manifest_invalid"] * 13 + [b"a"]


@pytest.mark.parametrize("text", [b"", b"path,colour\na,b\n", b"path,path\na,b\n", b"\xff\n", b"a" * 70_000])
def test_csv_without_proper_columns_says_so(text: bytes) -> None:
    found = outcomes(entries_of(None, text, manifest_is_csv=True))
    assert found == ["manifest_invalid"]


def test_csv_record_that_never_ends_is_refused() -> None:
    text = b'path\n"' + b"x\n" * 300_000
    assert outcomes(entries_of(None, text, manifest_is_csv=True)) == ["manifest_invalid"]


def test_row_of_many_pictures_may_name_one_file_twice() -> None:
    rows = jsonl({"path": "a.jpg", "label": "cat"}, {"path": "a.jpg", "label": "animal"})
    for archive in (make_zip({"a.jpg": b"a"}), make_tar({"a.jpg": b"a"})):
        assert [(e.label, c) for e, c in entries_of(archive, rows, enrols=True)] == [
            ("cat", b"a"),
            ("animal", b"a"),
        ]


def test_manifest_that_is_not_first_in_its_tar_says_so() -> None:
    found = outcomes(entries_of(make_tar({"cat/1.jpg": b"one", "manifest.jsonl": jsonl(*ROWS)})))
    assert found == [b"one", "manifest_invalid"]


@pytest.fixture
def rooted(tmp_path: Path) -> Settings:
    root = tmp_path / "root"
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "1.jpg").write_bytes(b"one")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return Settings(roots=(str(root),), data=tmp_path)


def test_files_under_the_roots_and_no_others(rooted: Settings, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inside.jpg").symlink_to(root / "cat" / "1.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "circle.jpg").symlink_to(root / "circle.jpg")
    allowed = ["cat/1.jpg", str(root / "cat/1.jpg"), "inside.jpg", "cat/../cat/1.jpg"]
    refused = [
        "../secret.jpg",
        str(tmp_path / "secret.jpg"),
        "outside.jpg",
        "circle.jpg",
        "/etc/passwd",
        "no.jpg",
        "x" * 300,
    ]
    found = entries_of(None, jsonl(*({"file": name} for name in allowed + refused)), settings=rooted)
    assert outcomes(found) == [f"file:{root}/cat/1.jpg"] * 4 + ["path_not_allowed"] * 7


def test_url_is_no_place_of_our_own(rooted: Settings) -> None:
    urls = [
        "pack:x", "pack:" + "a" * 64 + ":0:10", "pack://x", "PACK://x", "file:/etc/passwd", "file:///etc/passwd",
        "FILE:///etc/passwd", "local:///etc/passwd", "/etc/passwd", "x", "://x", "s3:/x", "s3://", "1s3://x",
        "s3://a b", "s3://a\nb",
    ]  # fmt: skip
    found = outcomes(entries_of(None, jsonl(*({"url": url} for url in urls)), settings=rooted))
    assert dict(zip(urls, found, strict=True)) == dict.fromkeys(urls, "url_not_allowed")


def test_urls_of_other_schemes_are_places() -> None:
    urls = ["https://example.org/1.jpg?a=b#c", "s3://bucket/a.jpg", "gs://bucket/ä.jpg", "abfs+x://a/b"]
    assert outcomes(entries_of(None, jsonl(*({"url": url} for url in urls)))) == urls


def test_files_are_off_without_roots() -> None:
    assert outcomes(entries_of(None, jsonl({"file": "/etc/passwd"}))) == ["path_not_allowed"]


def test_root_is_no_prefix_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos-private").mkdir()
    (tmp_path / "photos-private" / "1.jpg").write_bytes(b"x")
    settings = Settings(roots=(str(tmp_path / "photos"),))
    rows = jsonl({"file": str(tmp_path / "photos-private" / "1.jpg")})
    assert outcomes(entries_of(None, rows, settings=settings)) == ["path_not_allowed"]


def test_folder_is_walked_within_the_roots(rooted: Settings, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "dog").mkdir()
    (root / "dog" / "2.jpg").write_bytes(b"two")
    (root / "dog" / "up").symlink_to(root)  # a circle
    (root / "dog" / "out").symlink_to(tmp_path)
    (root / "dog" / ".hidden").write_bytes(b"x")
    found = entries_of(folder=str(root), enrols=True, settings=rooted)
    assert [(entry.custom_id, entry.label, outcome) for entry, outcome in found] == [
        ("cat/1.jpg", "cat", f"file:{root}/cat/1.jpg"),
        ("dog/2.jpg", "dog", f"file:{root}/dog/2.jpg"),
        ("dog/out", "dog", "path_not_allowed"),
    ]


@pytest.mark.parametrize("folder", ["/etc", "..", "nothing", "cat/1.jpg"])
def test_folder_that_is_not_allowed_is_refused(rooted: Settings, folder: str) -> None:
    assert outcomes(entries_of(folder=folder, settings=rooted)) == ["path_not_allowed"]


@pytest.mark.slow
def test_reading_many_members_takes_little_memory() -> None:
    content = os.urandom(50_000)
    files = {f"cat/{number:05}.jpg": content for number in range(800)}
    for archive in (
        make_zip(files, compression=zipfile.ZIP_STORED),
        make_tar(files),
        gzip.compress(make_tar(files), 1),
    ):
        source = io.BytesIO(archive)
        tracemalloc.start()
        count = 0
        for entry in read_entries(Source(archive="a"), lambda _, file=source: file, Settings(), enrols=False):
            assert entry.read is not None and len(entry.read()) == 50_000
            count += 1
        assert count == 800
        assert tracemalloc.get_traced_memory()[1] < 16_000_000, "of 40 MB"
        tracemalloc.stop()

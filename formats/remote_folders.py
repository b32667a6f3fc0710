"""The objects under a prefix of a bucket, listed page by page in the order of their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from core.errors import ExemplarError
from core.picture_formats import is_video, live_photo_names, video_error
from formats.archives import is_left_out
from formats.remote_errors import remote_error
from formats.remote_names import Prefix, without_suffix

PAGE = 1000  # objects of one answer of S3, the most that it gives


@dataclass(frozen=True, slots=True)
class Object:
    """An object: its path below the prefix's folder, its URL, its size, and what changes with its content."""

    path: str
    url: str
    size: int
    tag: str = ""
    error: ExemplarError | None = None


def list_objects(prefix: Prefix, *, after: str | None = None) -> Iterator[Object | None]:
    """Yield the objects of a prefix whose paths come after one, and None for each that is passed over.

    Their order is that of their paths' characters, whatever is added or deleted meanwhile. Passed over are
    hidden objects, those that stand for folders, and the videos of Live Photos. Raises `remote_unavailable`
    (retry), `package_missing`, and `prefix_unreadable` for no such bucket or without the right to list it.
    """
    group: list[Object] = []
    # begin a little before, so that a video finds its picture
    for one in _matching(prefix, None if after is None else without_suffix(after)):
        if one is None:
            yield None
            continue
        if group and without_suffix(group[0].path) != without_suffix(one.path):
            yield from _after(group, after)
            group = []
        group.append(one)
    yield from _after(group, after)


def _after(same_stem: Sequence[Object], after: str | None) -> Iterator[Object | None]:
    live = live_photo_names([one.path for one in same_stem])
    for one in same_stem:
        if one.path in live:
            yield None
        elif after is None or one.path > after:
            yield one


def _matching(prefix: Prefix, after: str | None) -> Iterator[Object | None]:
    for path, size, tag in _all(prefix, after):
        if not path or path.endswith("/") or is_left_out(path) or not prefix.matches(path):
            yield None
        else:
            error = video_error(path) if is_video(path) else None
            yield Object(path, prefix.url_of(path), size, tag, error)


def _all(prefix: Prefix, after: str | None) -> Iterator[tuple[str, int, str]]:
    """Yield path, size and tag of every object that begins as the prefix does."""
    try:
        import fsspec  # noqa: PLC0415 - the command line reads this module, and seldom lists a bucket

        # a cached listing would hide what came since
        files, root = fsspec.core.url_to_fs(prefix.folder, use_listings_cache=False)
        scheme = prefix.folder.partition("://")[0]
        if scheme in ("s3", "s3a"):
            yield from _of_s3(files, prefix, after)
        else:
            yield from _of_tree(files, str(root).rstrip("/") + "/", "", after)
    except ExemplarError:
        raise
    except Exception as error:  # the boundary to any file system: each raises its own
        raise remote_error(error, prefix.folder, what="bucket", code="prefix_unreadable") from error


def _of_s3(files: Any, prefix: Prefix, after: str | None) -> Iterator[tuple[str, int, str]]:
    # fsspec lists a folder at once, which takes a second and 1 MB for each 1,000 objects before the first
    bucket, _, folder = prefix.folder.partition("://")[2].partition("/")
    place: dict[str, str] = {} if after is None else {"StartAfter": folder + after}
    start = prefix.start.partition("://")[2].partition("/")[2]
    while True:
        page = files.call_s3("list_objects_v2", Bucket=bucket, Prefix=start, MaxKeys=PAGE, **place)
        for one in page.get("Contents", ()):
            yield one["Key"].removeprefix(folder), int(one["Size"]), str(one.get("ETag", "")).strip('"')
        if not page.get("IsTruncated"):
            return
        place = {"ContinuationToken": page["NextContinuationToken"]}


def _of_tree(files: Any, root: str, below: str, after: str | None) -> Iterator[tuple[str, int, str]]:
    """Walk folders in an order that is the one of whole paths, one folder's listing at a time."""
    try:
        listed = files.ls(root + below, detail=True)
    except FileNotFoundError:  # there are no folders, only objects whose names have slashes
        return
    for name, about in sorted(_children(listed, root), key=itemgetter(0)):
        if not name.endswith("/"):
            if after is None or name > after:
                yield name, int(about.get("size") or 0), _tag_of(about)
        elif name != below and (after is None or name > after or after.startswith(name)):
            yield from _of_tree(files, root, name, after)


def _children(listed: Iterable[dict[str, Any]], root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    seen: set[str] = set()
    for about in listed:
        is_folder = about.get("type") == "directory"
        path = str(about["name"]).removeprefix(root).removeprefix(root.lstrip("/"))
        name = path.rstrip("/") + "/" if is_folder else path
        if name not in seen:
            seen.add(name)
            yield name, about


def _tag_of(about: dict[str, Any]) -> str:
    """Return what changes with an object's content; its name depends on the file system."""
    for name in (
        "ETag",
        "etag",
        "md5Hash",
        "generation",
        "mtime",
        "LastModified",
        "last_modified",
        "created",
    ):
        if about.get(name):
            return str(about[name]).strip('"')
    return ""

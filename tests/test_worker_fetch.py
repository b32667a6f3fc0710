"""Pictures by URL: fetched within limits, each with its own outcome, in parallel with the encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from enrolling import claim, settle, submit
from serving import Pictures, in_turn, serving, status
from waiting import until

from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobState, Lane
from core.settings import Settings
from store.blobs import PICTURES, uploads_of
from store.store import Store
from worker import fetch
from worker.fetch import Fetcher, fetch_picture

Digits = Callable[[int, int], bytes]


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    with serving() as found:
        yield found


@pytest.fixture
def never() -> Iterator[Callable[..., Any]]:
    """A function that does not return before the test ends."""
    over = threading.Event()
    yield lambda *_, **__: over.wait()
    over.set()


@pytest.fixture
def allowed(tmp_path: Any) -> Settings:
    return Settings(
        data=tmp_path,
        fetch_hosts=("127.0.0.1", "localhost"),
        fetch_private=True,
        fetch_s=50,
        max_picture_bytes=1000,
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "FIRST_PAUSE_S", 0.01)


def code_of(url: str, settings: Settings) -> str:
    try:
        fetch_picture(url, settings)
    except ExemplarError as error:
        assert error.retry == (error.code == "url_unreachable")
        return error.code
    return ""


def test_picture_is_what_the_url_gives(pictures: Pictures, allowed: Settings) -> None:
    url = pictures.at("/1.jpg", b"picture")
    assert fetch_picture(url, allowed) == b"picture"
    assert fetch_picture(url.replace("127.0.0.1", "LocalHost") + "?token=1", allowed) == b"picture"


def test_nothing_is_fetched_unless_it_is_allowed(pictures: Pictures, allowed: Settings) -> None:
    url = pictures.at("/1.jpg", b"picture")
    off = allowed.model_copy(update={"fetch_hosts": ()})
    others = allowed.model_copy(update={"fetch_hosts": ("example.com", "*.example.com")})
    public = allowed.model_copy(update={"fetch_hosts": ("*",), "fetch_private": False})
    assert [code_of(url, settings) for settings in (off, others, public)] == [
        "url_fetch_off", "url_refused", "url_refused"
    ]  # fmt: skip
    assert code_of(url.replace("http", "https"), public) == "url_refused"
    assert not pictures.asked


@pytest.mark.parametrize("code", sorted(fetch.REDIRECTS))
def test_redirect_is_followed(pictures: Pictures, allowed: Settings, code: int) -> None:
    pictures.at("/b/2.jpg", b"picture")
    url = pictures.at("/a/1.jpg", status(code, Location="../b/2.jpg"))
    assert fetch_picture(url, allowed) == b"picture"


def test_redirects_end(pictures: Pictures, allowed: Settings) -> None:
    url = pictures.at("/round", status(302, Location="/round"))
    assert code_of(url, allowed) == "url_failed"
    assert pictures.asked["/round"] == fetch.MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "https://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://127.0.0.1:25/",
        "http://user@127.0.0.1/",
        "http://[::1",
    ],
)
def test_redirect_is_checked_as_a_url_is(pictures: Pictures, allowed: Settings, location: str) -> None:
    url = pictures.at("/1.jpg", status(302, Location=location))
    assert code_of(url, allowed) == "url_refused"


@pytest.mark.parametrize("passing", [500, 502, 503, 504, 429, 408])
def test_failure_that_may_pass_is_tried_again(pictures: Pictures, allowed: Settings, passing: int) -> None:
    url = pictures.at("/1.jpg", in_turn(status(passing), status(passing), b"picture"))
    assert fetch_picture(url, allowed) == b"picture"


def test_permanent_failure_is_reported(pictures: Pictures, allowed: Settings) -> None:
    assert code_of(pictures.at("/500", status(500)), allowed) == "url_unreachable"
    assert code_of(pictures.at("/404", status(404)), allowed) == "url_failed"
    assert code_of(pictures.at("/204", status(204)), allowed) == "url_failed"
    assert (pictures.asked["/500"], pictures.asked["/404"]) == (fetch.MOST_TRIES, 1)
    assert code_of("http://127.0.0.1:9/", allowed) == "url_refused"  # not a port of the web
    assert code_of("http://127.0.0.1:65535/", allowed) == "url_unreachable"


@pytest.mark.slow
def test_retry_after_is_respected_as_far_as_there_is_time(pictures: Pictures, allowed: Settings) -> None:
    soon = pictures.at("/soon", in_turn(status(503, Retry_After="1"), b"picture"))
    start = time.monotonic()
    assert fetch_picture(soon, allowed) == b"picture"
    assert time.monotonic() - start >= 1
    assert code_of(pictures.at("/late", status(503, Retry_After="60")), allowed) == "url_unreachable"
    assert pictures.asked["/late"] == 1


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 4096)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def test_body_is_read_up_to_the_size_of_a_picture(pictures: Pictures, allowed: Settings) -> None:
    assert fetch_picture(pictures.at("/1000", b"x" * 1000), allowed) == b"x" * 1000
    assert code_of(pictures.at("/1001", b"x" * 1001), allowed) == "url_too_large"
    assert code_of(pictures.at("/endless", endless), allowed) == "url_too_large"


@pytest.mark.slow
def test_slow_host_is_left_when_the_time_is_up(
    pictures: Pictures, allowed: Settings, never: Callable[..., Any]
) -> None:
    settings = allowed.model_copy(update={"fetch_s": 0.5})
    assert code_of(pictures.at("/drip", dripping), settings) == "url_unreachable"
    assert code_of(pictures.at("/hang", never), settings) == "url_unreachable"


def test_name_server_that_does_not_answer_is_not_waited_for(
    allowed: Settings, monkeypatch: pytest.MonkeyPatch, never: Callable[..., Any]
) -> None:
    monkeypatch.setattr("runtime.addresses.socket.getaddrinfo", never)
    settings = allowed.model_copy(update={"fetch_s": 0.3, "fetch_hosts": ("*",)})
    assert code_of("http://example.com/1.jpg", settings) == "url_unreachable"


def test_refusal_does_not_say_what_a_name_means_inside(
    allowed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [(0, 0, 0, "", ("10.11.12.13", 443))]
    monkeypatch.setattr("runtime.addresses.socket.getaddrinfo", lambda *_, **__: answer)
    settings = allowed.model_copy(update={"fetch_hosts": ("*",), "fetch_private": False})
    with pytest.raises(ExemplarError) as caught:
        fetch_picture("https://intranet.example.com/", settings)
    assert caught.value.code == "url_refused" and "10.11" not in caught.value.message


# The thread that fetches.


@pytest.fixture
def allowing(settings: Settings) -> Settings:
    chosen = {"fetch_hosts": ("127.0.0.1",), "fetch_private": True, "fetch_at_once": 4, "fetch_s": 50.0}
    return settings.model_copy(update=chosen)


@pytest.fixture
def fetcher(things: Store, allowing: Settings) -> Iterator[Fetcher]:
    found = Fetcher(things, allowing, "w:1", Lane.BULK)
    yield found
    found.stop()


def run(fetcher: Fetcher) -> None:
    """Fetch until nothing is left."""
    until(lambda: fetcher.round() == 0)


def ask(store: Store, *urls: str, kind: JobKind = JobKind.CLASSIFY) -> str:
    return submit(
        store, *(Item(n, label="cat", place=url) for n, url in enumerate(urls)), kind=kind, lane=Lane.BULK
    )


def test_chunk_is_claimed_once_its_pictures_are_here(
    things: Store, fetcher: Fetcher, pictures: Pictures
) -> None:
    good, bad = pictures.at("/1.jpg", b"one"), pictures.at("/2.jpg", status(404))
    job = ask(things, good, bad, "https://10.0.0.1/")
    assert claim(things) == [] == things.chunks.waiting()
    run(fetcher)
    [chunk] = claim(things)
    first, second, third = chunk.items
    assert (first.place, first.problem) == (None, None)
    assert things.blobs.get(uploads_of(job), first.picture or "") == b"one"
    assert second.problem is not None and second.problem["code"] == "url_failed"
    assert third.problem is not None and third.problem["code"] == "url_refused"


def test_picture_to_enrol_is_kept_with_those_of_supports(
    things: Store, fetcher: Fetcher, pictures: Pictures
) -> None:
    ask(things, pictures.at("/1.jpg", b"one"), kind=JobKind.ENROLL)
    run(fetcher)
    [chunk] = claim(things)
    assert things.blobs.get(PICTURES, chunk.items[0].picture or "") == b"one"


def test_retry_fetches_again_what_failed(things: Store, fetcher: Fetcher, pictures: Pictures) -> None:
    job = ask(things, pictures.at("/1.jpg", b"one"), pictures.at("/2.jpg", status(404)))
    run(fetcher)
    [chunk] = claim(things)
    assert settle(things, chunk, failing=(1,))
    assert things.jobs.get(job).state is JobState.PARTIAL
    pictures.at("/2.jpg", b"two")
    things.control.retry(job)
    assert claim(things) == []
    run(fetcher)
    [again] = claim(things)
    assert [(item.index, item.problem) for item in again.items] == [(1, None)]
    assert things.blobs.get(uploads_of(job), again.items[0].picture or "") == b"two"
    assert pictures.asked["/1.jpg"] == 1


def test_paused_job_is_not_fetched_for_and_cancelled_never(
    things: Store, fetcher: Fetcher, pictures: Pictures
) -> None:
    url = pictures.at("/1.jpg", b"one")
    held, ended = ask(things, url), ask(things, url)
    things.control.pause(held)
    things.control.cancel(ended)
    run(fetcher)
    assert not pictures.asked
    things.control.resume(held)
    run(fetcher)
    assert [chunk.job_id for chunk in claim(things)] == [held]


def test_job_paused_or_cancelled_while_it_is_fetched_for_stays_so(things: Store) -> None:
    held, ended = ask(things, "https://a.b/"), ask(things, "https://a.b/")
    fetches = [things.fetches.claim("w:1", Lane.BULK), things.fetches.claim("w:1", Lane.BULK)]
    things.control.pause(held)
    things.control.cancel(ended)
    assert [things.fetches.put("w:1", one.chunk_id, one.items) for one in fetches if one] == [True, False]
    assert claim(things) == []
    things.control.resume(held)
    assert [chunk.job_id for chunk in claim(things)] == [held]


def test_chunk_whose_fetcher_died_is_fetched_by_another(things: Store, allowing: Settings) -> None:
    ask(things, "https://a.b/")
    lost = things.fetches.claim("dead:1", Lane.BULK)
    assert lost is not None and things.fetches.claim("w:1", Lane.BULK) is None
    things.fetches.release("dead:1")
    found = things.fetches.claim("w:1", Lane.BULK)
    assert found == lost
    assert not things.fetches.put("dead:1", lost.chunk_id, lost.items)
    assert things.fetches.put("w:1", lost.chunk_id, lost.items)


def test_one_job_takes_half_of_the_places(
    things: Store, allowing: Settings, pictures: Pictures, never: Callable[..., Any]
) -> None:
    slow = pictures.at("/slow", never)
    for _ in range(3):
        submit(
            things,
            *(Item(n, label="cat", place=slow) for n in range(200)),
            kind=JobKind.CLASSIFY,
            lane=Lane.BULK,
        )
    with_two = Fetcher(things, allowing, "w:1", Lane.BULK)
    assert with_two.round() == 4
    jobs = [one.job_id for one in with_two._under_way.values()]
    assert {jobs.count(job) for job in jobs} == {2}
    with_two.stop()


def test_blobs_that_are_away_lose_nothing(
    things: Store, fetcher: Fetcher, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(things, pictures.at("/1.jpg", b"one"))

    def full(*_: object) -> str:
        raise ExemplarError("blobs_unavailable", "no space", retry=True)

    with monkeypatch.context() as patched:
        patched.setattr(type(things.blobs), "put", full)
        run(fetcher)
    assert claim(things) == []
    things.fetches.release("w:1:bulk")  # like an expired lease
    run(fetcher)
    assert [chunk.items[0].problem for chunk in claim(things)] == [None]


def test_fault_of_ours_over_one_url_fails_that_item_alone(
    things: Store, fetcher: Fetcher, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = pictures.at("/1.jpg", b"one")
    ask(things, good, "https://odd.example/")

    def odd(url: str, settings: Settings) -> bytes:
        if "odd" in url:
            raise ValueError("nobody thought of this")
        return fetch_picture(url, settings)

    monkeypatch.setattr(fetch, "fetch_picture", odd)
    run(fetcher)
    [chunk] = claim(things)
    assert [item.problem and item.problem["code"] for item in chunk.items] == [None, "url_failed"]

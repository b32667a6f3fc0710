"""Behind nginx on a sub-path, configured as docs/deployment.md shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from browsing import running_browser
from calls import WAIT, enroll
from missing import skip_or_fail
from playwright.sync_api import expect
from services import running_service
from waiting import until

from runtime.ports import free_port

pytestmark = pytest.mark.processes

PAGE = Path(__file__).parents[1] / "docs" / "deployment.md"


@pytest.fixture(scope="module")
def behind_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service's address behind nginx."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        skip_or_fail("nginx is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    [location] = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    with running_service(proxies="1") as stack:
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; events {{}} http {{ access_log off; {places}"
            f"server {{ listen 127.0.0.1:{port}; {location.replace('http://127.0.0.1:8000', stack.url)} }} }}"
        )
        command = [nginx, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
        server = subprocess.Popen(command)
        url = f"http://127.0.0.1:{port}/exemplar"
        try:
            until(lambda: _answers(url))
            yield url
        finally:
            server.terminate()
            server.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_addresses_in_answers_lead_through_the_proxy(
    behind_nginx: str, digits: Callable[[int, int], bytes]
) -> None:
    with httpx.Client(base_url=behind_nginx, timeout=60) as http:
        assert http.post("/v1/collections", json={"name": "things"}).status_code == 201
        enroll(http, "things", "zero", digits(0, 1))
        enroll(http, "things", "one", digits(1, 1))
        png = {"Content-Type": "image/png"}
        asked = http.post("/v1/collections/things/classify", content=digits(0, 2), headers={**png, **WAIT})
        origin = behind_nginx.removesuffix("/exemplar")
        found = httpx.get(origin + asked.headers["Location"])
        assert found.status_code == 200
        assert found.json()["links"]["self"] == asked.headers["Location"]
        thumbnail = asked.json()["results"][0]["neighbours"][0]["thumbnail"]
        assert httpx.get(origin + thumbnail).headers["content-type"] == "image/jpeg"
        assert http.get("/openapi.json").json()["servers"] == [{"url": "/exemplar"}]
        assert httpx.get(behind_nginx, follow_redirects=True).status_code == 200


def test_page_works_below_a_prefix(behind_nginx: str, digits: Callable[[int, int], bytes]) -> None:
    with httpx.Client(base_url=behind_nginx, timeout=60) as http, running_browser() as browser:
        http.post("/v1/collections", json={"name": "shown"})
        enroll(http, "shown", "zero", digits(0, 1))
        page = browser.new_page()
        failed: list[str] = []
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        with page.expect_response(lambda answer: answer.url.endswith("/thumbnail")) as shown:
            page.goto(f"{behind_nginx}/#/c/shown")
        assert shown.value.status == 200
        page.goto(f"{behind_nginx}/docs")
        expect(page.get_by_role("link", name="openapi.json")).to_be_visible()
        assert failed == []

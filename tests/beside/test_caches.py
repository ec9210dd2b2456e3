"""A real shared cache in front of a real server: no visitor is served what was made for another."""

import os
import pwd
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ports import await_listening, free_port

from .test_servers import OPENER, SERVERS, served

PROGRAM = """
from pathlib import Path
from flask import Flask, render_template_string
from consent import Consent, current_consent

app = Flask("clinic", root_path=str(Path(__file__).parent), instance_path=str(Path(__file__).parent / "instance"))
app.config.from_mapping(SECRET_KEY="a key for tests, long enough", CONSENT_CACHE_SAFE={cache_safe})
Consent(app)

@app.get("/page")
def page():
    return render_template_string('''<!doctype html><html lang="en"><head><title>Page</title>{{{{ consent_head() }}}}
</head><body>{{{{ consent_banner() }}}}{{% call consent_block("statistics") %}}counted{{% endcall %}}
{{{{ consent_embed("videos", src="https://video.example/1", title="Film") }}}}{{{{ consent_link() }}}}</body></html>''')

@app.get("/allowed")
def allowed():
    return "yes" if current_consent.allows("statistics") else "no"

@app.get("/plain")
def plain():
    return "plain"

@app.get("/counted")
def counted():
    response = app.make_response("counted")
    response.set_cookie("visit", "1")
    return response

@app.after_request
def keep(response):
    response.headers.setdefault("Cache-Control", "public, max-age=60")
    return response
"""
PRELOADED = SERVERS["gunicorn, preloaded, with threads"]
NOTHING: Mapping[str, str] = {}
#: Everything lies in one folder, and nothing runs as somebody else.
CACHE = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user {user};
events {{}}
http {{
  access_log off;
  proxy_cache_path {folder}/kept keys_zone=shared:1m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {behind};
      proxy_set_header Host $http_host;
      proxy_cache shared;
      add_header X-Came-From $upstream_cache_status always;
    }}
  }}
}}
"""


class Answer(NamedTuple):
    """One response, and whether the cache had it (HIT) or asked for it (MISS); empty for what is never kept."""

    status: int
    text: str
    came_from: str
    cookies: list[str]
    control: str


@contextmanager
def cache(folder: Path, behind: str) -> Iterator[str]:
    """The address of nginx as a shared cache before the server *behind*, with all that it needs in *folder*."""
    program = os.environ.get("CONSENT_NGINX") or shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.fail("there is no nginx: run python3 dev.py test, which installs it or says what to install")
    port, log = free_port(), folder / "error.log"
    file = folder / "nginx.conf"
    user = pwd.getpwuid(os.geteuid()).pw_name
    file.write_text(CACHE.format(folder=folder, user=user, port=port, behind=behind))
    command = [program, "-p", str(folder), "-e", str(log), "-c", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_listening(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """The site behind the cache, in cache-safe mode or not as the test's parameter says."""
    folder = tmp_path_factory.mktemp("cached")
    program = PROGRAM.format(cache_safe=request.param)
    with served(folder, PRELOADED, program) as behind, cache(folder, behind) as address:
        yield address


def ask(url: str, headers: Mapping[str, str] = NOTHING, data: dict[str, str] | None = None) -> Answer:
    """What comes back to a browser that sends *headers*, for a form's *data* if there is any."""
    body = urllib.parse.urlencode(data).encode() if data else None
    request = urllib.request.Request(url, body, {"Sec-Fetch-Site": "same-origin", **headers})
    try:
        response = OPENER.open(request, timeout=60)
    except urllib.error.HTTPError as error:
        response = error  # a 303 is one here
    with response:
        return Answer(
            response.status,
            response.read().decode(),
            response.headers.get("X-Came-From", ""),
            response.headers.get_all("Set-Cookie") or [],
            response.headers.get("Cache-Control", ""),
        )


def answered(address: str, choice: str) -> str:
    """The cookies of a visitor whose answer was *choice*."""
    notice = re.search(r'name="notice" value="([0-9a-f]{64})"', ask(f"{address}/privacy-choices").text)
    assert notice
    given = ask(f"{address}/privacy-choices", data={"notice": notice[1], "choice": choice, "from": "banner"})
    assert given.status == 303
    return "; ".join(cookie.partition(";")[0] for cookie in given.cookies)


def visitors(address: str) -> dict[str, dict[str, str]]:
    """Five different visitors, by name, each with the headers their browser sends."""
    granted, refused = answered(address, "all"), answered(address, "none")
    return {
        "granted": {"Cookie": granted},
        "refused": {"Cookie": refused},
        "stranger": {},
        "forged": {"Cookie": "consent=1.forged; consent-shown=statistics"},
        "signal": {"Cookie": granted, "Sec-GPC": "1"},
    }


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize("cached", [True], indirect=True)
def test_in_cache_safe_mode_one_page_serves_all_and_nobody_learns_of_another(cached: str) -> None:
    them = visitors(cached)
    pages = [ask(f"{cached}/page", headers) for headers in [*them.values()] * 3]
    assert [page.came_from for page in pages] == ["MISS"] + ["HIT"] * 14
    assert {page.text for page in pages} == {pages[0].text}
    assert all(page.cookies == [] for page in pages)
    for _ in range(3):
        for name, headers in them.items():
            state = ask(f"{cached}/privacy-choices/state", headers)
            assert state.came_from in ("MISS", ""), "what holds for one visitor is never kept"
            assert state.control == "no-store"
            granted = name in ("granted", "signal")
            assert ('"statistics"' in state.text.partition('"refused"')[0]) == granted
            assert ask(f"{cached}/allowed", headers).text == ("yes" if granted else "no")
            sheet = ask(f"{cached}/privacy-choices/state.css", headers)
            assert (".pc-place" in sheet.text) == (granted or name == "refused")


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize("cached", [False], indirect=True)
def test_in_the_usual_mode_the_cache_keeps_no_page_that_depends_on_the_answer(cached: str) -> None:
    them = visitors(cached)
    for _ in range(3):
        for name, headers in them.items():
            page = ask(f"{cached}/page", headers)
            assert page.came_from == "MISS"
            granted = name in ("granted", "signal")
            assert (("counted" in page.text), ("pc-banner" in page.text)) == (
                granted,
                name in ("stranger", "forged"),
            )
            assert ask(f"{cached}/allowed", headers).text == ("yes" if granted else "no")
            assert ask(f"{cached}/allowed", headers).came_from == "MISS"
    plain = [ask(f"{cached}/plain", headers).came_from for headers in them.values()]
    assert plain.count("HIT") == 4, "what doesn't depend on it is kept"


@pytest.mark.requirement("ENF-01")
@pytest.mark.parametrize("cached", [False, True], indirect=True)
def test_no_cookie_of_one_visitor_reaches_another_through_the_cache(cached: str) -> None:
    them = visitors(cached)
    for _ in range(2):
        for name, headers in them.items():
            response = ask(f"{cached}/counted", headers)
            assert response.came_from == "MISS"
            assert any(cookie.startswith("visit=1") for cookie in response.cookies) == (
                name in ("granted", "signal")
            )

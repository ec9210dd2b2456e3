"""Real servers with several workers: one ledger, and every answer in it once."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import run_for
from tests.ports import await_listening, free_port
from tests.web.clinic import POLICY, MakeSite

PROGRAM = """
from pathlib import Path
from flask import Flask
from consent import Consent, current_consent

app = Flask("clinic", root_path=str(Path(__file__).parent), instance_path=str(Path(__file__).parent / "instance"))
app.config["SECRET_KEY"] = "a key for tests, long enough"
Consent(app)

@app.get("/allowed")
def allowed():
    return "yes" if current_consent.allows("statistics") else "no"
"""
SERVERS = {
    "gunicorn": ["gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}", "program:app"],
    "gunicorn, preloaded, with threads": [
        *("gunicorn", "--workers", "2", "--threads", "4", "--preload", "--bind", "127.0.0.1:{port}"),
        "program:app",
    ],
    "waitress": ["waitress", "--listen=127.0.0.1:{port}", "program:app"],
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a 303 as it is."""

    def redirect_request(self, *args: object) -> None:
        """None: don't follow."""


OPENER = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def ask(url: str, data: dict[str, str] | None = None, cookie: str = "") -> tuple[int, str, str]:
    """Status, text and the cookie set of one request."""
    body = urllib.parse.urlencode(data).encode() if data else None
    headers = {"Sec-Fetch-Site": "same-origin", "Cookie": cookie}
    try:
        with OPENER.open(urllib.request.Request(url, body, headers), timeout=60) as response:
            return response.status, response.read().decode(), response.headers.get("Set-Cookie", "")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers.get("Set-Cookie", "")


@contextmanager
def served(folder: Path, command: list[str], program: str = PROGRAM) -> Iterator[str]:
    """The site of *program*, served from *folder* by *command*; its address."""
    (folder / "consent.toml").write_text(POLICY)
    (folder / "program.py").write_text(program)
    port = free_port()
    arguments = [part.format(port=port) for part in command]
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=folder, stdout=out, stderr=out, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        await_listening(port, process, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", list(SERVERS))
def test_under_a_real_server_every_answer_is_recorded_once_and_enforced(
    tmp_path: Path, make_app: MakeSite, name: str
) -> None:
    with served(tmp_path, SERVERS[name]) as url:
        page = ask(f"{url}/privacy-choices")[1]
        found = re.search(r'name="notice" value="([0-9a-f]{64})"', page)
        assert found

        def answer(number: int) -> tuple[str, str]:
            choice = "all" if number % 2 else "none"
            form = {"notice": found[1], "choice": choice, "from": "banner"}
            status, _, cookie = ask(f"{url}/privacy-choices", form)
            assert status == 303
            return choice, ask(f"{url}/allowed", cookie=cookie.partition(";")[0])[1]

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(answer, range(24)))
    assert set(answers) == {("all", "yes"), ("none", "no")}
    listed = run_for(make_app())("export")
    kinds = [json.loads(line)["kind"] for line in listed.stdout.splitlines()]
    assert sorted(kind for kind in kinds if kind != "operated") == ["given"] * 12 + ["refused"] * 12
    assert (
        kinds.count("operated") == 2
    )  # the log's beginning, and what the site runs under, once for all workers

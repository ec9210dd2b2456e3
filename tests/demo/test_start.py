"""``python -m demo_site``: what it prints, and how it starts, refuses and ends."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from werkzeug.security import check_password_hash

from demo_site import FOLDER, reopened
from demo_site.__main__ import main
from demo_site.database import connect
from demo_site.instance import Instance, clear
from tests.ports import free_port


@pytest.fixture
def port() -> int:
    """A free port with a free one after it."""
    return free_port()


def start(*options: str) -> subprocess.Popen[str]:
    """The demo as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "demo_site", "--no-browser", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def running(tmp_path: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that has printed its table."""
    with start("--port", str(port), "--instance", str(tmp_path / "demo")) as demo:
        assert demo.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = demo.stdout.readline()
            assert line, demo.stderr.read() if demo.stderr else ""
            printed += line
        yield demo, printed
        demo.kill()


def get(url: str) -> str:
    """The page at *url*."""
    with urllib.request.urlopen(url, timeout=60) as response:
        text: str = response.read().decode()
        return text


def test_it_serves_the_site_and_the_third_party_and_says_where(
    running: tuple[subprocess.Popen[str], str], port: int, tmp_path: Path
) -> None:
    demo, printed = running
    password = re.search(r"name auditor   password (\S{12})\s", printed)
    assert password
    with closing(connect(Instance.open(tmp_path / "demo").database)) as database:
        (kept,) = database.execute("SELECT password FROM account WHERE name = 'auditor'").fetchone()
    assert check_password_hash(kept, password[1])
    for said in (
        f"http://127.0.0.1:{port}",
        f"http://localhost:{port + 1}",
        "revision 1",
        "consent.sqlite3",
    ):
        assert said in printed
    assert "Larkmere" in get(f"http://127.0.0.1:{port}/")
    assert "Looptally" in get(f"http://127.0.0.1:{port + 1}/")
    demo.send_signal(signal.SIGINT)
    assert demo.wait(20) == 0
    assert demo.stderr is not None
    assert demo.stderr.read() == ""


def test_the_command_that_it_prints_reads_the_log_and_makes_no_other_instance(
    running: tuple[subprocess.Popen[str], str], port: int, tmp_path: Path
) -> None:
    get(f"http://127.0.0.1:{port}/")
    found = re.search(r"^  Read the log +(.*?)   while", running[1], re.MULTILINE)
    assert found
    assert str(tmp_path / "demo") in found[1]
    before = set((FOLDER / "instance").glob("*"))
    read = subprocess.run(shlex.split(found[1]), capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    assert "operated" in read.stdout
    assert set((FOLDER / "instance").glob("*")) == before


def test_the_command_that_it_prints_shows_asking_again(
    running: tuple[subprocess.Popen[str], str], port: int, tmp_path: Path
) -> None:
    again = f"--revision 2 --port {port} --instance {tmp_path / 'demo'}"
    assert f"python -m demo_site {again}" in running[1]


def test_a_site_that_never_ran_is_not_reopened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no demo has run"):
        reopened(str(tmp_path / "demo"))
    assert not (tmp_path / "demo").exists()


def test_a_reopened_site_has_the_settings_of_its_last_start(tmp_path: Path) -> None:
    instance = Instance.open(tmp_path / "demo")
    policy = FOLDER / "revisions" / "2" / "consent.toml"
    instance.keep_settings({"CONSENT_POLICY": str(policy), "DEMO_THIRD_PARTY": "http://localhost:9001"})
    app = reopened(str(instance.folder))
    assert app.config["DEMO_DECLARATION"].revision == 2
    assert app.config["DEMO_THIRD_PARTY"] == "http://localhost:9001"
    assert app.config["DEMO"].folder == instance.folder


@pytest.mark.parametrize("taken", [0, 1], ids=["the site's port", "the third party's port"])
def test_a_taken_port_is_named_with_a_way_out(
    port: int, taken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + taken))
        other.listen()
        assert (
            main(["--no-browser", "--fresh", "--port", str(port), "--instance", str(tmp_path / "demo")]) == 3
        )
    said = capsys.readouterr().err
    assert f"Port {port + taken} is in use" in said
    assert f"--port {port + 10}" in said
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("text", ["0", "65535", "-1", "eighty"])
def test_a_port_that_cannot_be_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--port={text}"])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_a_folder_that_is_not_the_demos_is_not_deleted(
    port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    assert main(["--no-browser", "--fresh", "--port", str(port), "--instance", str(tmp_path)]) == 3
    assert "was not made by this demo" in capsys.readouterr().err


def test_clearing_deletes_what_the_demo_made(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    key = Instance.open(folder).secret_key
    clear(folder)
    assert not folder.exists()
    assert Instance.open(folder).secret_key != key


def test_clearing_touches_no_folder_that_the_demo_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match=re.escape("was not made by this demo")):
        clear(tmp_path)
    assert (tmp_path / "letter.txt").exists()


def test_clearing_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    clear(tmp_path / "nothing")
    assert os.listdir(tmp_path) == []

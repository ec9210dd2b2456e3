"""verify.py as a program of its own: one file, somewhere else, with nothing of the component beside it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import consent.verify
from consent.audit.export import write_folder
from tests.ledger.memory import MemoryLog, signer_of

from .bundles import KEY

PROGRAM = Path(consent.verify.__file__)
GUIDE = Path(__file__).parents[2] / "docs" / "auditing.md"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with the program in it, as it is handed out."""
    log = MemoryLog().grow(300)
    log.erase(4)
    write_folder(log.bundle(program=PROGRAM.read_bytes()).parts(), tmp_path / "bundle")
    (tmp_path / "kept").write_text(log.checkpoint(200))
    (tmp_path / "kept.tlog-proof").write_text(log.receipt(7, 250).to_text())
    return tmp_path / "bundle"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, run as an auditor would; ``consent`` can't be imported there."""
    # Beside the isolated mode, a folder of libraries with nothing of ours: cryptography and what it needs.
    start = "import sys, runpy; sys.modules['consent'] = None; sys.argv = sys.argv[1:]; "
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", start, "verify.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_program_in_the_bundle_checks_the_bundle(bundle: Path, tmp_path: Path) -> None:
    done = run(bundle, ".", "--key", KEY, "--checkpoint", "../kept", "--receipt", "../kept.tlog-proof")
    assert (done.returncode, done.stderr) == (0, "")
    assert "250 entries" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("erased: ")


def test_what_is_wrong_with_a_receipt_is_not_said_of_the_log(bundle: Path, tmp_path: Path) -> None:
    forged = tmp_path / "kept.tlog-proof"
    forged.write_text(forged.read_text().replace("index 7", "index 8"))
    options = (".", "--key", KEY, "--checkpoint", "../kept", "--receipt", "../kept.tlog-proof")
    verdict, log = run(bundle, *options).stdout.splitlines()[-2:]
    assert (verdict[:9], log[:65]) == (
        "tampered:",
        "All that is wrong is in what you gave. The log without it is eras",
    )
    answer = json.loads(run(bundle, *options, "--json").stdout)
    assert (answer["ok"], answer["verdict"], answer["log"]) == (False, "tampered", "erased")
    # Where the log itself is at fault, nothing excuses it.
    (bundle / "tile" / "0" / "000").write_bytes(bytes(8192))
    assert "what you gave" not in run(bundle, *options).stdout.splitlines()[-1]
    assert json.loads(run(bundle, *options, "--json").stdout)["log"] == "tampered"


def test_a_copy_in_an_empty_folder_works_and_answers_in_json(bundle: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(PROGRAM, empty)
    done = run(empty, "../bundle", "--key", KEY, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], answer["verdict"], answer["entries"]) == (
        0,
        True,
        "unanchored",
        300,
    )
    (bundle / "tile" / "0" / "000").write_bytes(bytes(8192))
    done = run(empty, "../bundle", "--key", KEY, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], answer["verdict"]) == (1, False, "tampered")
    assert answer["findings"][0]["place"] == "tile/0/000"


@pytest.mark.parametrize(
    "arguments",
    [
        ["bundle"],
        ["--key", KEY],
        ["bundle", "--key", "no key"],
        ["bundle", "--key", KEY.replace("clinic", "shop")],
        ["bundle", "--key", KEY, "--max-age", "soon"],
        ["bundle", "--key", KEY, "--max-age", "-1d"],
    ],
)
def test_used_wrongly_it_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    shutil.copy(PROGRAM, tmp_path)
    assert run(tmp_path, *arguments).returncode == 2


def test_a_file_that_was_to_be_compared_and_is_not_there_ends_with_3(bundle: Path) -> None:
    done = run(bundle, ".", "--key", KEY, "--checkpoint", "nowhere")
    assert (done.returncode, done.stdout) == (3, "")
    assert "nowhere" in done.stderr


def test_it_is_a_module_of_the_component_too(bundle: Path) -> None:
    command = [sys.executable, "-m", "consent.verify", str(bundle), "--key", KEY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, run(bundle, ".", "--key", KEY).stdout)


def test_the_key_never_comes_from_the_bundle(bundle: Path) -> None:
    # The bundle of somebody who made a log of his own, key and all, is whole in itself.
    other = MemoryLog(signer_of(bytes(range(1, 33)))).grow(20)
    shutil.rmtree(bundle)
    write_folder(other.bundle(program=PROGRAM.read_bytes()).parts(), bundle)
    assert run(bundle, ".", "--key", KEY).returncode == 1
    assert run(bundle, ".", "--key", other.signer.key).returncode == 0


def test_readme_and_guide_name_every_verdict(bundle: Path) -> None:
    for text in ((bundle / "README.txt").read_text(), GUIDE.read_text()):
        for verdict in consent.verify.VERDICTS:
            assert re.search(rf"(^ +|\| \*\*){verdict}(  |\*\*)", text, re.MULTILINE), verdict

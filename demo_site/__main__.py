"""Starts the demo and the third party beside it: ``python -m demo_site``."""

import argparse
import errno
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from demo_site import FOLDER, create_app
from demo_site.database import AUDITOR_ACCOUNT, DEMO_ACCOUNT, DEMO_PASSWORD, admit_auditor
from demo_site.earlier import earlier
from demo_site.instance import Instance, clear
from demo_site.looptally import create_third_party

HOST = "127.0.0.1"
#: What starts the demo, as its reader typed it: dev.py says so.
COMMAND = os.environ.get("DEMO_COMMAND", "python -m demo_site")


class QuietHandler(WSGIRequestHandler):
    """Answers requests without a line per request: visitors' addresses stand in no log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Writes nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until Ctrl-C. 0: ended; 2: wrong options; 3: could not start."""
    options = parser().parse_args(arguments)
    if options.events and options.revision == 1:
        parser().error("made-up events lead up to revision 2: leave --revision 1 out")
    options.revision = options.revision or (2 if options.events else 1)
    folder: Path = options.instance or FOLDER / "instance" / own_folder(options)
    with ExitStack() as until_served:
        try:
            listening = [until_served.enter_context(listen(options.port + offset)) for offset in (0, 1)]
        except OSError as error:
            return complain(error, options.port)
        try:
            instance = made_ready(folder, fresh=options.fresh)
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 3
        chosen = settings(options, folder)
        instance.keep_settings(chosen)
        if options.events and not made_up(instance, options.events):
            return 3
        app = create_app(chosen)
        password = secrets.token_urlsafe(9)
        admit_auditor(instance.database, password)
        servers = [
            serve(site, own)
            for site, own in zip((app, create_third_party(instance.third_party_log)), listening, strict=True)
        ]
    print(table(app, options, instance, password), flush=True)
    if not options.no_browser and has_screen():
        webbrowser.open(f"http://{HOST}:{options.port}")
    wait_for_end()
    for server in servers:
        server.shutdown()
        server.server_close()
    return 0


def own_folder(options: argparse.Namespace) -> str:
    """The name of the folder that these options use: made-up events are kept apart from a visitor's own."""
    return f"{options.port}-sample" if options.events else str(options.port)


def made_up(instance: Instance, events: int) -> bool:
    """Whether the log is filled with made-up events, now or by an earlier start. Says how it goes."""
    if (instance.folder / "consent.sqlite3").exists():
        print("The made-up events of an earlier start are shown; --fresh makes others.", file=sys.stderr)
        return True
    first = earlier(instance.folder / "earlier", datetime.now(UTC).date() - timedelta(days=365))
    arguments = ["consent", "sample", "--events", str(events), "--before", str(first)]
    print(f"Making up {events:,} events …", file=sys.stderr, flush=True)
    return subprocess.run([*flask_of(instance), *arguments], cwd=FOLDER.parent).returncode == 0


def made_ready(folder: Path, *, fresh: bool) -> Instance:
    """The instance in *folder*, emptied first when *fresh*; ValueError for a folder that is not the demo's."""
    if fresh:
        clear(folder)
    return Instance.open(folder)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(COMMAND, description="A made-up company's site with real consent.")
    options.add_argument(
        "--port", type=port, default=8000, help="the site's port; the third party takes the next one"
    )
    options.add_argument("--fresh", action="store_true", help="first delete what earlier runs have kept")
    options.add_argument("--no-browser", action="store_true", help="do not open a browser")
    options.add_argument(
        "--revision",
        type=int,
        choices=(1, 2),
        help="2 shows how visitors are asked again, and is that of made-up events; else 1",
    )
    options.add_argument(
        "--events", type=count, metavar="N", help="fill a log of its own with so many made-up events"
    )
    options.add_argument(
        "--instance", type=Path, help="folder for keys and databases (one per port by default)"
    )
    return options


def port(text: str) -> int:
    """The port in *text*; the one after it must exist too."""
    number = int(text)
    if not 1 <= number < 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port from 1 to 65534")
    return number


def count(text: str) -> int:
    """How many events *text* is."""
    number = int(text)
    if not 1 <= number <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{number} is not a number from 1 to 10,000,000")
    return number


def settings(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """The app's configuration for these options."""
    policy = FOLDER / "consent.toml" if options.revision == 1 else FOLDER / "revisions" / "2" / "consent.toml"
    return {
        "CONSENT_POLICY": str(policy),
        "DEMO_INSTANCE": str(folder),
        "DEMO_THIRD_PARTY": f"http://localhost:{options.port + 1}",
        "DEMO_ORIGIN": f"http://{HOST}:{options.port}",
    }


def listen(number: int) -> socket.socket:
    """A socket that listens on *number*, on this machine only; OSError when the port is taken."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, number))
        server.listen(128)
    except OSError as error:
        server.close()
        error.filename = number
        raise
    return server


def complain(error: OSError, first: int) -> int:
    """Says why a port can't be had, and what to do."""
    taken = error.filename
    if error.errno == errno.EADDRINUSE:
        print(
            f"Port {taken} is in use by another program, and the demo needs {first} and {first + 1}. "
            f"End that program, or choose other ports: {COMMAND} --port {first + 10}",
            file=sys.stderr,
        )
    else:
        print(
            f"Port {taken} can't be used: {error.strerror}. Try: {COMMAND} --port 8010",
            file=sys.stderr,
        )
    return 3


def serve(app: Flask, listening: socket.socket) -> BaseWSGIServer:
    """A server of Werkzeug's for *app*, running in threads: good for a demo, not made for the public network."""
    number = listening.getsockname()[1]
    server = make_server(
        HOST, number, app, threaded=True, request_handler=QuietHandler, fd=os.dup(listening.fileno())
    )
    threading.Thread(target=server.serve_forever, name=f"port {number}", daemon=True).start()
    return server


def table(app: Flask, options: argparse.Namespace, instance: Instance, password: str) -> str:
    """What a visitor of the demo needs to know, line by line."""
    number: int = options.port
    policy = Path(app.config["CONSENT_POLICY"])
    declared = app.config["DEMO_DECLARATION"]
    site = f"http://{HOST}:{number}"
    rows = [
        ("Site", site),
        ("Sign-in", f"{site}/sign-in   name {DEMO_ACCOUNT}   password {DEMO_PASSWORD}"),
        ("Auditor", f"{site}/auditor   name {AUDITOR_ACCOUNT}   password {password}   new at each start"),
        ("Third party", f"http://localhost:{number + 1}   see {site}/what-the-third-party-saw"),
        ("Policy", f"{policy}   revision {declared.revision}, in force since {declared.effective}"),
        ("Consent log", str(app.config.get("CONSENT_DATABASE") or instance.folder / "consent.sqlite3")),
        ("Read the log", f"{log_command(instance)}   while it runs, and after"),
        ("Site's data", str(instance.database)),
    ]
    if options.events:
        rows.append(("Sample data", "the log is made up: no visitor did any of it"))
    if options.revision == 1:
        rows.append(("Asking again", f"answer, end this, then: {next_command(options)}"))
    lines = "\n".join(f"  {name:<13} {what}" for name, what in rows)
    title = "Larkmere Health Services, a made-up company that asks before it counts."
    return f"\n  {title}\n\n{lines}\n\n  End with Ctrl-C.\n"


def log_command(instance: Instance) -> str:
    """What reads this demo's consent log, typed in the folder that the demo was started in."""
    flask, _, app = flask_of(instance, near)
    return f'{flask} --app "{app}" consent log'


def flask_of(instance: Instance, written: Callable[[Path], str] = str) -> list[str]:
    """What runs ``flask`` for this demo, with its paths as they are to be *written*."""
    flask = Path(sys.executable).with_name("flask.exe" if os.name == "nt" else "flask")
    return [written(flask), "--app", f"demo_site:reopened({written(instance.folder)!r})"]


def next_command(options: argparse.Namespace) -> str:
    """What starts this demo with its next revision, on the same answers."""
    parts = [COMMAND, "--revision 2"]
    if options.port != parser().get_default("port"):
        parts.append(f"--port {options.port}")
    if options.instance:
        parts.append(f"--instance {shlex.quote(str(options.instance))}")
    return " ".join(parts)


def near(path: Path) -> str:
    """*path* from the current folder, if it lies below, else whole."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def has_screen() -> bool:
    """Whether a browser with windows can open; a text browser would take over this terminal."""
    return (
        os.name == "nt"
        or sys.platform == "darwin"
        or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    )


def wait_for_end() -> None:
    """Returns at Ctrl-C, or when the process is asked to end."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), end)
    while not ended.wait(1):  # in steps, because Windows doesn't interrupt an endless wait
        pass


if __name__ == "__main__":
    sys.exit(main())

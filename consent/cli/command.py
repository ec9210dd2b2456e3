"""What all commands have in common: examples in their help, errors as sentences, exit codes, the app."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import make_url

from consent.cli.terminal import complain
from consent.errors import ConfigurationError, ConsentError, LedgerError
from consent.ledger import Ledger
from consent.web.site import Site

#: Exit codes; 2, used wrongly, is click's own.
WRONG, IMPOSSIBLE = 1, 3
#: What a process gets that is asked to end, or whose terminal is closed; Windows hasn't the second.
ENDING: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

EXIT_CODES = (
    "Exit codes: 0 all is well, 1 something wrong was found, 2 used wrongly, 3 it couldn't be done. "
    "Only the answer goes to standard output."
)


class Command(click.Command):
    """A command with *examples* in its help, whose errors are sentences and never tracebacks."""

    def __init__(self, *args: Any, examples: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it. What couldn't be done ends with exit code 3."""
        try:
            with in_order():
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # Whoever read has had enough. What is buffered must not fail a second time at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(IMPOSSIBLE)
        except (ConsentError, OSError) as error:
            complain(f"Error: {said(error)}")
            ctx.exit(IMPOSSIBLE)
        except KeyboardInterrupt:
            complain("Interrupted.")
            ctx.exit(IMPOSSIBLE)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, as they are typed."""
        with formatter.section("Example" if len(self.examples) == 1 else "Examples"):
            formatter.write("".join(f"  $ {example}\n" for example in self.examples))


class Group(click.Group):
    """Commands in the order they are given: that of the work, not of the alphabet."""

    def __init__(self, *args: Any, commands: Sequence[click.Command], **kwargs: Any) -> None:
        super().__init__(*args, epilog=EXIT_CODES, **kwargs)
        for one in commands:
            self.add_command(one)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)


@contextmanager
def in_order() -> Iterator[None]:
    """A block that ends as at Ctrl-C when its process is asked to end or its terminal is closed.

    So what it was writing is taken away. A process that is told to outlive its terminal does.
    """
    if threading.current_thread() is not threading.main_thread():  # no other may say what a signal does
        yield
        return
    asked = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in asked:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in asked:
            signal.signal(number, signal.SIG_DFL)


def command(name: str, *examples: str) -> Callable[[Callable[..., Any]], Command]:
    """A decorator: the function as the command *name*; its docstring is the help, *examples* end it."""
    return click.command(name, cls=Command, examples=examples)


def said(error: ConsentError | OSError) -> str:
    """*error* as a sentence for a person."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}."
    return str(error)


def app_of(ctx: click.Context) -> Flask:
    """The app that ``flask`` was started for, its context pushed until the command ends.

    Whatever its factory raises comes through; click's own error if there is no app.
    """
    app = ctx.ensure_object(ScriptInfo).load_app()
    ctx.with_resource(app.app_context())
    return app


def site_in(app: Flask) -> Site:
    """The consent of *app*; ConfigurationError if it has none."""
    site = app.extensions.get("consent")
    if not isinstance(site, Site):
        raise ConfigurationError(
            f"the app {app.name!r} has no consent component; expected consent.init_app(app) in its factory."
        )
    return site


def site_of(ctx: click.Context) -> Site:
    """The consent of the app that ``flask`` was started for; ConfigurationError if it has none."""
    return site_in(app_of(ctx))


def has_database(site: Site) -> bool:
    """Whether the site's database is there, and not empty.

    Reading must not make one: it would be owned by whoever reads.
    """
    file = database_file(site)
    return file is None or (file.exists() and file.stat().st_size > 0)


def bereaved(site: Site) -> Sequence[str]:
    """What is wrong where there is no database, though a log was begun: its guard file is there."""
    file = database_file(site)
    if file is None or has_database(site):
        return []
    key = site.settings.signing_key or file.with_suffix(".key")
    # Looked for first, since who opens a ledger makes its folder.
    return site.recorder.ledger.problems() if key.with_suffix(".guard").exists() else []


def database_file(site: Site) -> Path | None:
    """The file that the site's ledger is kept in; None when it is kept in memory, or on a server."""
    url = make_url(site.settings.database)
    name = url.database if url.get_backend_name() == "sqlite" else None
    return None if name in (None, "", ":memory:") else Path(str(name))


def on_server(site: Site) -> bool:
    """Whether the site's ledger is kept on a server, which has its own rights and is made by nobody in passing."""
    return make_url(site.settings.database).get_backend_name() != "sqlite"


def ledger_of(ctx: click.Context) -> Ledger:
    """The app's ledger, to read; LedgerError as long as there is no database, or when it is gone."""
    site = site_of(ctx)
    if lost := bereaved(site):
        raise LedgerError("\n".join(lost))
    if not has_database(site):
        raise LedgerError(
            f"nothing is recorded yet: there is no database at {site.settings.database}. It is made when the "
            "first visitor answers. If they have, mend CONSENT_DATABASE."
        )
    return site.recorder.ledger

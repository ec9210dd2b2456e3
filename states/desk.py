"""The auditor's desk: the clinic with a year of sample data, and the pages on which an auditor reads it."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from flask import Flask

from consent.cli import cli
from states.clinic import OURS, POLICY, REVISED, SIGNAL, Clock, Visitor, found, site
from states.visits import State

DESK = "The auditor's desk"
AUDIT = f"{OURS}/audit"
#: In seconds of the epoch, 28 November 2026: a whole March lies in the year before.
END = 1_795_860_000.0
EVENTS = 2600
#: The policies of that year, each from when the one before had served its time.
FIRST = POLICY.replace("2026-03-02", "2025-11-03")
SECOND = REVISED.replace("2026-09-01", "2026-03-30")
THIRD = (
    SECOND.replace("revision  = 2", "revision  = 3")
    .replace("2026-03-30", "2026-07-30")
    .replace("keeps what it learns for longer: twelve months", "passes on what it learns to View Counts, too")
    .replace('["Film Insights"]', '["Film Insights", "View Counts"]')
    .replace("Counts visits and the pages read, in", "Counts visits, and which pages are read, in")
)


def desk(folder: Path, events: int = EVENTS) -> Flask:
    """The clinic in *folder*, its log filled with *events* made-up ones; whoever asks is the auditor.

    After these come an opt-out by a browser's signal, one by the form, and an erasure.
    """
    before = []
    for number, policy in enumerate((FIRST, SECOND), start=1):
        file = folder / f"revision-{number}" / "consent.toml"
        file.parent.mkdir(parents=True)
        file.write_text(policy, encoding="utf-8")
        before += ["--before", str(file)]
    clock = Clock(END)
    app = site(folder, clock, THIRD, CONSENT_AUDITOR=lambda: "auditor-1")
    command = ["sample", "--events", str(events), *before]
    made = app.test_cli_runner().invoke(cli, command, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    clock.pass_days(0.1)
    signalling, opting_out, erasing = (Visitor(app.test_client()) for _ in range(3))
    for visitor in (signalling, opting_out, erasing):
        visitor.answer("all")
    signalling.headers = SIGNAL
    signalling.see("/")
    opting_out.answer("opt_out")
    erase = f"{OURS}/mine/erase"
    erasing.send(erase, step=found(r'name="step" value="([^"]+)"', erasing.send(erase).text))
    return app


def pages(folder: Path) -> Iterator[State]:
    """Each page of the desk, on a log in *folder*."""
    app = desk(folder)
    auditor = Visitor(app.test_client())
    yield State(DESK, "The log", auditor.see(f"{AUDIT}/"))
    yield State(DESK, "Overview", auditor.see(f"{AUDIT}/overview?by=language"))
    old = auditor.see(f"{AUDIT}/?revision=1&kind=given")
    token = found(r'name="csrf_token" value="([^"]+)"', old)
    id = found(r'name="event" value="([0-9a-f-]{36})"', old)
    yield State(
        DESK, "One event", _framed(auditor, auditor.send(f"{AUDIT}/event", csrf_token=token, event=id).text)
    )
    yield State(DESK, "Policies", auditor.see(f"{AUDIT}/policies"))
    yield State(DESK, "Opt-outs and erasures", auditor.see(f"{AUDIT}/opt-outs"))
    verification = f"{AUDIT}/verification"
    yield State(DESK, "Verification", auditor.send(verification, csrf_token=token).text)
    with closing(
        sqlite3.connect(Path(app.instance_path) / "consent.sqlite3", isolation_level=None)
    ) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(
            "UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE leaf_index = 41) WHERE leaf_index = 40"
        )
    altered = auditor.send(verification, csrf_token=token).text
    yield State(DESK, "Verification of a log that was altered", altered)


def _framed(auditor: Visitor, page: str) -> str:
    """*page* with the notice in its frame as it is, for a page that no site sends."""
    notice = (
        auditor.see(found(r'<iframe[^>]* src="([^"]+)"', page)).replace("&", "&amp;").replace('"', "&quot;")
    )
    frame = re.compile(r'(<iframe[^>]*) sandbox([^>]*) src="[^"]+"')
    return frame.sub(lambda tag: f'{tag[1]} sandbox="allow-same-origin"{tag[2]} srcdoc="{notice}"', page)

"""The demo's own SQLite database, opened once per request."""

import sqlite3
from datetime import date, timedelta
from pathlib import Path

from flask import current_app, g
from werkzeug.security import generate_password_hash

SCHEMA = Path(__file__).with_name("schema.sql")

#: The account printed on the sign-in page. Public on purpose: it owns made-up invoices only.
DEMO_ACCOUNT = "demo-customer"
DEMO_PASSWORD = "larkmere-demo"
#: The account that may read the consent log, and what it is called there. Its password is made at each start.
AUDITOR_ACCOUNT = "auditor"
AUDITOR_ID = "auditor-1"

#: Number, days since issue, days until due, lines with their prices in cents.
INVOICES: tuple[tuple[str, int, int, tuple[tuple[str, int], ...]], ...] = (
    (
        "LM-20418",
        12,
        18,
        (("Visit, 20 minutes", 11500), ("Laboratory, two tests", 6240), ("Insurer’s share", -9800)),
    ),
    ("LM-20377", 40, -10, (("Visit, 40 minutes", 18900), ("Materials", 1250), ("Insurer’s share", -15120))),
    ("LM-20102", 96, -66, (("Telephone advice, 10 minutes", 4200),)),
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection in which each statement is a transaction of its own, and rows are read by name."""
    database = sqlite3.connect(path, timeout=5, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA foreign_keys = ON")
    return database


def prepare(path: Path, today: date) -> None:
    """Makes tables, the demo account and its invoices where they are missing."""
    database = connect(path)
    try:
        database.executescript(SCHEMA.read_text(encoding="utf-8"))
        if not database.execute("SELECT 1 FROM account").fetchone():
            seed(database, today)
    finally:
        database.close()


def seed(database: sqlite3.Connection, today: date) -> None:
    """Adds the demo account and its invoices; the last of them is paid."""
    database.execute("BEGIN IMMEDIATE")
    database.execute(
        "INSERT OR IGNORE INTO account VALUES (?, ?)", (DEMO_ACCOUNT, generate_password_hash(DEMO_PASSWORD))
    )
    for number, age, left, lines in INVOICES:
        issued, due = today - timedelta(days=age), today + timedelta(days=left)
        total = sum(cents for _, cents in lines)
        database.execute(
            "INSERT OR IGNORE INTO invoice VALUES (?, ?, ?, ?, ?)",
            (number, DEMO_ACCOUNT, issued.isoformat(), due.isoformat(), total),
        )
        database.executemany(
            "INSERT OR IGNORE INTO line VALUES (?, ?, ?, ?)",
            [(number, position, text, cents) for position, (text, cents) in enumerate(lines)],
        )
    database.execute(
        "INSERT OR IGNORE INTO payment VALUES (?, ?, ?, ?)",
        ("LM-20102", "P-5310-4472", "bank", (today - timedelta(days=70)).isoformat()),
    )
    database.execute("COMMIT")


def admit_auditor(path: Path, password: str) -> None:
    """Gives the auditor's account this password, of which only the hash is kept; makes the account if it is missing."""
    database = connect(path)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "INSERT INTO account VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET password = excluded.password",
            (AUDITOR_ACCOUNT, generate_password_hash(password)),
        )
        database.execute("INSERT OR IGNORE INTO auditor VALUES (?, ?)", (AUDITOR_ACCOUNT, AUDITOR_ID))
        database.execute("COMMIT")
    finally:
        database.close()


def current_database() -> sqlite3.Connection:
    """This request's connection."""
    if "database" not in g:
        g.database = connect(current_app.config["DEMO"].database)
    database: sqlite3.Connection = g.database
    return database


def close(_error: BaseException | None) -> None:
    """Closes this request's connection, if it had one."""
    if database := g.pop("database", None):
        database.close()

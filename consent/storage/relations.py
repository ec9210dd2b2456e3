"""The tables of a PostgreSQL database: whether each is an ordinary one, and nothing stands between it and its rows.

Row security hides rows from the roles that the site uses, a rule does something else than a statement says, and what
inherits from a table adds rows to it. None of that is a trigger or a function. Who owns the tables can do each.
"""

import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from consent.storage.schema import entry, metadata, served

_TABLES: Final = {*metadata.tables, *served.tables}
_PART = re.compile(r"entry_[0-9]+")
_RELATIONS = text("""
    SELECT relname AS name, relkind AS kind, relpersistence AS persistence, relrowsecurity AS secured,
        ARRAY(SELECT rulename::text FROM pg_rewrite WHERE ev_class = c.oid ORDER BY 1) AS rules,
        ARRAY(SELECT format('%s.%s', nspname, relname) FROM pg_inherits JOIN pg_class i ON i.oid = inhrelid
            JOIN pg_namespace n ON n.oid = i.relnamespace WHERE inhparent = c.oid ORDER BY 1) AS children,
        ARRAY(SELECT format('%s.%s', nspname, relname) FROM pg_inherits JOIN pg_class i ON i.oid = inhparent
            JOIN pg_namespace n ON n.oid = i.relnamespace WHERE inhrelid = c.oid ORDER BY 1) AS parents
    FROM pg_class c WHERE relnamespace = to_regnamespace('consent') AND relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY relname
""")
_KINDS: Final = {
    "r": "a table",
    "p": "a partitioned table",
    "v": "a view",
    "m": "a view",
    "f": "a foreign table",
}


def problems(connection: Connection) -> Iterator[str]:
    """What stands between the log's tables and their rows, and how to mend it."""
    secured, rules, strange, missing = list[str](), list[str](), list[str](), set(_TABLES)
    for row in connection.execute(_RELATIONS):
        part = _PART.fullmatch(row.name) is not None
        if row.name not in _TABLES and not part:
            continue
        missing.discard(row.name)
        secured += [row.name] * row.secured
        kind = "p" if row.name == entry.name else "r"
        if row.kind != kind:
            strange.append(f"{row.name} is {_KINDS[row.kind]}")
            continue
        rules += [f"{rule} on {row.name}" for rule in row.rules]
        if row.persistence != "p":
            strange.append(f"{row.name} is lost in a crash, as it is unlogged")
        own = [
            each for each in row.children if kind == "p" and _PART.fullmatch(each.removeprefix("consent."))
        ]
        strange += [f"{each} inherits from {row.name}" for each in row.children if each not in own]
        if row.parents != (["consent.entry"] if part else []):
            strange.append(f"{row.name} inherits from {', '.join(row.parents) or 'nothing'}")
    strange += [f"{name} is missing" for name in sorted(missing)]
    if secured:
        yield (
            f"Row security is switched on for {', '.join(secured)}: it hides rows from the site, or keeps it from "
            "erasing them, while the owner sees all. The log has none. Find out who did that, run ALTER TABLE … "
            "DISABLE ROW LEVEL SECURITY, and then: flask consent verify"
        )
    if rules:
        yield (
            f"There are rules on the log's tables, which have none: {', '.join(rules)}. They do something else than "
            "they are asked. Find out who made them, take them away (DROP RULE … ON …) and run: flask consent verify"
        )
    if strange:
        yield (
            f"The log's tables are not as they were made: {'; '.join(strange)}. Find out who did that. Run: flask "
            "consent verify, and restore the database from a backup unless you can undo it."
        )

"""The tables of a PostgreSQL database: whether each is an ordinary one, and nothing stands between it and its rows.

Row security hides rows from the roles that the site uses, a rule does something else than a statement says, what
inherits from a table adds rows to it, a column that takes NULL may hold nothing, and a constraint refuses rows, or
lets what no release writes come in when it is gone. None of that is a trigger or a function. Who owns the tables can do
each.
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
_NULLABLE = text("""
    SELECT relname AS name, attname AS column FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
    WHERE relnamespace = to_regnamespace('consent') AND relkind IN ('r', 'p')
        AND attnum > 0 AND NOT attisdropped AND NOT attnotnull
    ORDER BY relname, attnum
""")
#: The columns of each table that always hold something.
_FILLED: Final = {
    table.name: {column.name for column in table.columns if not column.nullable}
    for table in (*metadata.sorted_tables, *served.sorted_tables)
}
# Those of a table, of its partitions, and of whatever refers to it; but for keys, and for what has one row.
_CONSTRAINTS = text("""
    SELECT conname AS name, conrelid::regclass::text AS holder,
        CASE WHEN holder.relnamespace = to_regnamespace('consent') THEN holder.relname END AS on_table,
        CASE WHEN target.relnamespace = to_regnamespace('consent') THEN target.relname END AS refers_to,
        replace(pg_get_constraintdef(c.oid), ' NOT VALID', '') AS made
    FROM pg_constraint c JOIN pg_class holder ON holder.oid = conrelid
    LEFT JOIN pg_class target ON target.oid = confrelid
    WHERE contype IN ('c', 'f', 'x') AND to_regnamespace('consent') IN (holder.relnamespace, target.relnamespace)
    ORDER BY 1, 2
""")
# Each table with whatever lets its rows be there once, the columns of which it says so, and whether of all its rows.
_UNIQUE = text("""
    SELECT holder.relname AS on_table, i.relname AS name, ARRAY(
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = indrelid AND attnum = ANY ((indkey::smallint[])[0:indnkeyatts - 1])
    ) AS columns, indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL AS whole
    FROM pg_class holder LEFT JOIN pg_index ON indrelid = holder.oid AND indisunique
    LEFT JOIN pg_class i ON i.oid = indexrelid
    WHERE holder.relkind IN ('r', 'p') AND holder.relnamespace = to_regnamespace('consent') ORDER BY 1, 2
""")
#: The columns by which each row of a table is the only one.
_KEYS: Final = {
    table.name: [
        *([{*table.primary_key.columns.keys()}] if table.primary_key else []),
        *({column.name} for column in table.columns if column.unique),
    ]
    for table in (*metadata.tables.values(), *served.tables.values())
}
# Over several partitions nothing can say so of ids: sealing sees to them.
_NOT_KEPT: Final = (entry.name, {entry.c.uid.name})
#: What rows are held against, each by a constraint of the table with which its name begins; a test compares them with
#: the migrations.
LIMITS: Final = {
    "document_addressed": "CHECK (((hash)::text = encode(sha256(body), 'hex'::text)))",
    "document_short": "CHECK ((octet_length(body) <= 4194304))",
    "entry_short": "CHECK ((octet_length(leaf) <= 65535))",
    "inbox_short": "CHECK ((octet_length(leaf) <= 65535))",
    "opening_short": "CHECK (((octet_length(salt) <= 32) AND (octet_length(body) <= 65535)))",
}
_KINDS: Final = {
    "r": "a table",
    "p": "a partitioned table",
    "v": "a view",
    "m": "a view",
    "f": "a foreign table",
}


def problems(connection: Connection) -> Iterator[str]:
    """What stands between the log's tables and their rows, and how to mend it."""
    yield from _of_tables(connection)
    yield from _of_columns(connection)
    yield from _of_constraints(connection)


def _of_tables(connection: Connection) -> Iterator[str]:
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


def _of_columns(connection: Connection) -> Iterator[str]:
    nullable = list[str]()
    for row in connection.execute(_NULLABLE):
        if row.column in _FILLED.get(_whole(row.name), ()):
            nullable.append(f"{row.name}.{row.column}")
    if nullable:
        yield (
            f"Columns of the log's tables take NULL, which none of them does as it was made: {', '.join(nullable)}. "
            "What says nothing can stand there in place of what was recorded. Find out who did that, run ALTER TABLE … "
            "ALTER COLUMN … SET NOT NULL, and then: flask consent verify. Where that is refused there is such a row: "
            "restore the database from a backup."
        )


def _of_constraints(connection: Connection) -> Iterator[str]:
    missing, foreign = {*LIMITS}, list[str]()
    for row in connection.execute(_CONSTRAINTS):
        table = _whole(row.on_table)
        if not _TABLES & {table, _whole(row.refers_to)}:
            continue
        limit = row.name in LIMITS and row.name.partition("_")[0] == table
        if limit and table == row.on_table:
            if row.made == LIMITS[row.name]:
                missing.discard(row.name)
        elif row.made != (LIMITS[row.name] if limit else "CHECK ((one = 1))"):
            foreign.append(f"{row.name} on {row.holder.removeprefix('consent.')}")
    unkept, unknown = _keys(connection)
    foreign += unknown
    if missing:
        yield (
            "The database doesn't hold new rows against the limits of this release: constraints are missing or "
            f"altered: {', '.join(sorted(missing))}. Run: flask consent db roles --apply, as the owner of the tables."
        )
    if foreign:
        yield (
            f"There are constraints on the log's tables that it doesn't have: {', '.join(foreign)}. They can refuse "
            "what is recorded or erased. Find out who made them, take them away (ALTER TABLE … DROP CONSTRAINT …, or "
            "DROP INDEX …) and run: flask consent verify"
        )
    if unkept:
        yield (
            f"Rows can stand twice in the log's tables, as these have lost their keys: {', '.join(unkept)}. Find out "
            "who took them away, run ALTER TABLE … ADD PRIMARY KEY (…) for each, and then: flask consent verify. Where "
            "that is refused rows are there twice: restore the database from a backup."
        )


def _keys(connection: Connection) -> tuple[list[str], list[str]]:
    """The keys that nothing keeps any more, and what keeps other columns from saying the same twice."""
    unkept, unknown = dict[str, list[set[str]]](), list[str]()
    for row in connection.execute(_UNIQUE):
        if (table := _whole(row.on_table)) not in _TABLES:
            continue
        keys = unkept.setdefault(row.on_table, [key for key in _KEYS[table] if (table, key) != _NOT_KEPT])
        columns = {*row.columns}
        if row.whole:
            keys[:] = [key for key in keys if not columns <= key]
        if row.name and not any(key <= columns for key in _KEYS[table]):
            unknown.append(f"{row.name} on {row.on_table}")
    lost = [f"{table} ({', '.join(sorted(key))})" for table, keys in unkept.items() for key in keys]
    return lost, unknown


def _whole(table: str | None) -> str:
    """The table that *table* is a partition of, or it; nothing where there is none."""
    return entry.name if table and _PART.fullmatch(table) else table or ""

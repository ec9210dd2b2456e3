"""The functions of a PostgreSQL database, and the triggers that call them: whether they are as they were made.

They are what keeps a role to what it may, and what is recorded as it is. Who owns the tables can exchange them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from consent.storage import moved

_FUNCTIONS = text("""
    SELECT proname, prosrc, prosecdef, coalesce(array_to_string(proconfig, ' '), '') AS settings,
        has_function_privilege('public', p.oid, 'EXECUTE') AS anybody,
        proowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass('consent.entry')) AS owned
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'consent'
""")
# What lies in partitions is asked of each of them.
_TRIGGERS = text(r"""
    SELECT c.relname, coalesce(parent.relname, c.relname) AS whole, tgname, tgtype,
        CASE WHEN pn.nspname = 'consent' THEN proname END AS function,
        coalesce(substring(pg_get_triggerdef(pg_trigger.oid) FROM ' WHEN \((.*)\) EXECUTE '), '') AS condition,
        tgenabled = 'A' AND tgattr = '' AS always
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_inherits ON inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
    LEFT JOIN pg_trigger ON tgrelid = c.oid AND NOT tgisinternal
    LEFT JOIN pg_proc p ON p.oid = tgfoid LEFT JOIN pg_namespace pn ON pn.oid = pronamespace
    WHERE n.nspname = 'consent' AND c.relkind IN ('r', 'p')
""")


class Routine(NamedTuple):
    """How a function is made."""

    digest: str
    """SHA-256 of its body, each run of white space a space."""
    definer: bool = False
    """Whether it runs with the rights of whoever owns it."""
    anybody: bool = False
    """Whether anybody may call it, as is usual of what only triggers do."""
    settings: str = "search_path=pg_catalog, pg_temp"
    """What the server sets while it runs. Without a path it names no type, and every table with its schema."""


#: All there are; a test compares them with the migrations.
FUNCTIONS = {
    "facets_in": Routine("9cdb17a264359b1da03d3c29ef08dcada414b51cb183ebcb6738e04861e01d9a"),
    "make_room": Routine("dfafc45e82e08cb5d216736d1c265d8c9183a1f42e7be39abcb7ae5f05ef3b62", definer=True),
    "opened": Routine("86034d78ac307f78220f86c08d549a1041a913b27d53f60d6a0a1aac0698eafe", definer=True),
    "record": Routine("bcd7b480cc13a7c8332edf4068540db130a2d91b72cacc94e7b689b1218be2cc", settings=""),
    "refuse": Routine("f62e3fc8c3c53deca46bf2e1e06411a0b6cb1c0fc9451b58f062124662dff91b", anybody=True),
    "refuse_unless_named": Routine(
        "6e1b2572e92ee9cfa4be7e1c403b979da3e1033a3d41759834d977d07f6f7063", anybody=True
    ),
    "refuse_unless_pruned": Routine(
        "deb7c4389a638a32cbd33d9607cc1b6e00507b73dc4e2204e189c4ed7253bd29", anybody=True
    ),
    "shown": Routine("a427d47ab6bade56be962dfbce8620b30b748d41c7a5cb9e465ec8693731fd09", definer=True),
    "take_turn": Routine(
        "7f7f87a97f8e842c4ab0d548b7ed6f1927b50aeff92b6f7db6144dd1037e166a", definer=True, anybody=True
    ),
    "uncount": Routine("3d42865107aabae9f73a52f4041c235da43e3b174c4759f607939bcd384fd7f2", definer=True),
}
#: Of each trigger the function, when it is called, as PostgreSQL has it (``pg_trigger.tgtype``), and under what
#: condition. Its name begins with that of its table.
TRIGGERS = {
    "bound_grows": ("refuse_unless_named", 23, ""),
    "bound_stays": ("refuse", 42, ""),
    "checkpoint_stays": ("refuse", 58, ""),
    "conflict_stays": ("refuse", 58, ""),
    "document_stays": ("refuse", 58, ""),
    "entry_remains": ("refuse_unless_pruned", 11, ""),
    "entry_stays": ("refuse", 50, ""),
    "erased_stays": ("refuse", 58, ""),
    "head_grows": ("refuse", 19, "(new.size <= old.size)"),
    "head_stays": ("refuse", 42, ""),
    "inbox_stays": ("refuse", 50, ""),
    "opening_in_turn": ("take_turn", 10, ""),
    "opening_stays": ("refuse", 50, ""),
    "opening_uncounted": ("uncount", 9, ""),
    "tile_stays": ("refuse", 58, ""),
}


def digest(body: str) -> str:
    """What a function's *body* is known by."""
    return hashlib.sha256(" ".join(body.split()).encode()).hexdigest()


def problems(connection: Connection) -> Iterator[str]:
    """What of the functions and triggers is missing, or isn't as it was made, and how to mend it."""
    mend = "Run: flask consent db roles --apply, as the owner of the tables."
    if tables := sorted(_unguarded(connection)):
        yield (
            "The database doesn't refuse to change what is recorded: triggers are missing, altered or switched off on "
            f"{', '.join(tables)}. {mend}"
        )
    if strange := sorted(_strange(connection)):
        yield (
            f"There are triggers on the log's tables that it doesn't have: {', '.join(strange)}. They can change what "
            "is recorded, or refuse it. Find out who made them, take them away (DROP TRIGGER … ON …) and run: flask "
            "consent verify"
        )
    missing, altered, foreign = {*FUNCTIONS}, list[str](), list[str]()
    for row in connection.execute(_FUNCTIONS):
        if (made := FUNCTIONS.get(row.proname)) is None:
            continue
        missing.discard(row.proname)
        # That fewer may call it is no fault.
        found = Routine(digest(row.prosrc), row.prosecdef, row.anybody or made.anybody, row.settings)
        if found != made:
            altered.append(f"consent.{row.proname}")
        if not row.owned:
            foreign.append(f"consent.{row.proname}")
    for names, said in (
        (sorted(f"consent.{name}" for name in missing), "missing"),
        (sorted(altered), "not as it was made"),
    ):
        if names:
            yield f"Of the database's functions {said}: {', '.join(names)}. {mend}"
    if foreign:
        yield (
            f"Of the database's functions another role than the owner of the tables owns {', '.join(sorted(foreign))}, "
            "and can exchange what they do. Let a superuser give them to the owner (ALTER FUNCTION … OWNER TO …). Then "
            "run, as the owner: flask consent db roles --apply"
        )


def _strange(connection: Connection) -> set[str]:
    """The triggers that are none of ours, each with its table; whoever moves a log here has one there meanwhile."""
    return {
        f"{row.tgname} on {row.relname}"
        for row in connection.execute(_TRIGGERS)
        if row.tgname
        and row.tgname != moved.ARRIVING
        and (row.tgname not in TRIGGERS or row.tgname.partition("_")[0] != row.whole)
    }


def _unguarded(connection: Connection) -> set[str]:
    """The tables of which a trigger is missing, doesn't always fire, or calls another function."""
    found, parts = (
        defaultdict[str, dict[str, tuple[str, int, str, bool]]](dict),
        defaultdict[str, set[str]](set),
    )
    for row in connection.execute(_TRIGGERS):
        parts[row.whole].add(row.relname)
        found[row.relname][row.tgname] = row.function, row.tgtype, row.condition, row.always
    wrong = set[str]()
    for name, made in TRIGGERS.items():
        table = name.partition("_")[0]
        if any(found[part].get(name) != (*made, True) for part in {table, *parts[table]}):
            wrong.add(table)
    return wrong

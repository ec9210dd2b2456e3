"""On a server each table of the log is an ordinary one, and what stands between it and its rows is named."""

from importlib import import_module

import pytest
from sqlalchemy import URL

from consent.ledger import Ledger
from consent.storage import GuardedStorage, relations, roles

from .cluster import Cluster
from .events import record, seal_all


@pytest.mark.requirement("REC-05")
@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ["ALTER TABLE consent.account ENABLE ROW LEVEL SECURITY"],
            "Row security is switched on for account: it hides rows",
        ),
        (
            ["ALTER TABLE consent.entry_0 ENABLE ROW LEVEL SECURITY"],
            "Row security is switched on for entry_0:",
        ),
        (
            ["CREATE RULE quiet AS ON DELETE TO consent.opening DO INSTEAD NOTHING"],
            "rules on the log's tables, which have none: quiet on opening.",
        ),
        (
            [
                "CREATE TABLE public.further () INHERITS (consent.account)",
                "INSERT INTO public.further VALUES ('more', gen_random_uuid())",
            ],
            "not as they were made: public.further inherits from account.",
        ),
        (
            [
                "CREATE TABLE public.above (link character varying(22) NOT NULL)",
                "ALTER TABLE consent.account INHERIT public.above",
            ],
            "account inherits from public.above.",
        ),
        (
            [
                "CREATE TABLE public.far PARTITION OF consent.entry FOR VALUES FROM (99999999999) TO (999999999999)"
            ],
            "public.far inherits from entry.",
        ),
        (
            [
                "ALTER TABLE consent.account RENAME TO kept",
                "CREATE VIEW consent.account AS SELECT * FROM consent.kept WHERE false",
            ],
            "account is a view.",
        ),
        (["DROP TABLE consent.account"], "account is missing."),
        (
            ["ALTER TABLE consent.inbox ADD CONSTRAINT quiet CHECK (length(leaf::text) < 9) NOT VALID"],
            "constraints on the log's tables that it doesn't have: quiet on inbox. They can refuse",
        ),
        (
            ["ALTER TABLE consent.entry_0 ADD CONSTRAINT quiet CHECK (leaf_index < 9)"],
            "doesn't have: quiet on entry_0.",
        ),
        (
            ["ALTER TABLE consent.erased ADD CONSTRAINT inbox_short CHECK (uid IS NULL) NOT VALID"],
            "doesn't have: inbox_short on erased.",
        ),
        (
            ["CREATE TABLE public.kept (id uuid REFERENCES consent.opening)"],
            "doesn't have: kept_id_fkey on public.kept.",
        ),
        (
            ["CREATE TABLE consent.kept (id uuid REFERENCES consent.opening)"],
            "doesn't have: kept_id_fkey on kept.",
        ),
        (
            [
                "ALTER TABLE consent.entry DROP CONSTRAINT entry_short",
                "ALTER TABLE consent.entry_0 ADD CONSTRAINT entry_short CHECK (leaf_index < 9)",
            ],
            "doesn't have: entry_short on entry_0.",
        ),
        (
            ["ALTER TABLE consent.opening ADD CONSTRAINT alone UNIQUE (subject)"],
            "doesn't have: alone on opening.",
        ),
        (
            ["CREATE UNIQUE INDEX alone ON consent.inbox (at, (length(leaf)))"],
            "doesn't have: alone on inbox.",
        ),
        (["ALTER TABLE consent.opening DROP CONSTRAINT opening_pkey"], "lost their keys: opening (uid)."),
        (["ALTER TABLE consent.inbox DROP CONSTRAINT inbox_uid_key"], "lost their keys: inbox (uid)."),
        (
            ["ALTER TABLE consent.entry DROP CONSTRAINT entry_pkey"],
            "lost their keys: entry (leaf_index), entry_0 (leaf_index).",
        ),
        (
            [
                "ALTER TABLE consent.tally DROP CONSTRAINT tally_pkey",
                "CREATE UNIQUE INDEX partly ON consent.tally (day, facets) WHERE day > 9",
                "CREATE UNIQUE INDEX beyond ON consent.tally (day, (facets + 1))",
            ],
            "lost their keys: tally (day, facets).",
        ),
        (["ALTER TABLE consent.account SET UNLOGGED"], "account is lost in a crash, as it is unlogged."),
    ],
)
def test_what_stands_between_a_table_and_its_rows_is_named(
    served: Ledger, server: Cluster, begun_url: URL, statements: list[str], said: str
) -> None:
    assert served.problems() == []
    server.run(*statements, database=begun_url.database)
    assert any(said in each for each in served.problems())


def test_what_stands_on_a_table_that_is_none_of_the_logs_is_nobodys_business(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    server.run(
        "CREATE TABLE consent.own (one integer PRIMARY KEY)",
        "ALTER TABLE consent.own ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE public.account (one integer UNIQUE)",
        "ALTER TABLE public.account ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE consent.own ADD CHECK (one > 1)",
        "ALTER TABLE public.account ADD CHECK (one > 1)",
        "CREATE TABLE public.other (one integer REFERENCES consent.own, two integer REFERENCES public.account (one))",
        database=begun_url.database,
    )
    record(served)
    seal_all(served)
    assert served.problems() == []


def test_whatever_way_the_server_writes_names_its_constraints_are_as_they_were_made(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    server.run(f"ALTER DATABASE {begun_url.database} SET quote_all_identifiers = on")
    assert served.problems() == []
    assert isinstance(served.storage, GuardedStorage)
    made = "SELECT min(oid) FROM pg_constraint WHERE conname = 'inbox_short'"
    before = server.run(made, database=begun_url.database)
    served.storage.apply(roles.statements())
    assert server.run(made, database=begun_url.database) == before
    server.run(
        "ALTER TABLE consent.inbox VALIDATE CONSTRAINT inbox_short",
        "CREATE INDEX quick ON consent.inbox (at)",
        database=begun_url.database,
    )
    assert served.problems() == []


def test_the_limits_that_are_looked_for_are_those_that_the_migrations_make() -> None:
    made = import_module("consent.storage.migrations.versions.r0011_limits")
    assert made.LIMITS == relations.LIMITS

"""On a server each table of the log is an ordinary one, and what stands between it and its rows is named."""

import pytest
from sqlalchemy import URL

from consent.ledger import Ledger

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
        (["ALTER TABLE consent.account SET UNLOGGED"], "account is lost in a crash, as it is unlogged."),
    ],
)
def test_what_stands_between_a_table_and_its_rows_is_named(
    served: Ledger, server: Cluster, begun_url: URL, statements: list[str], said: str
) -> None:
    assert served.problems() == []
    server.run(*statements, database=begun_url.database)
    assert any(said in each for each in served.problems())


def test_row_security_on_a_table_that_is_none_of_the_logs_is_nobodys_business(
    served: Ledger, server: Cluster, begun_url: URL
) -> None:
    server.run(
        "CREATE TABLE consent.own (one integer)",
        "ALTER TABLE consent.own ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE public.account (one integer)",
        "ALTER TABLE public.account ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE consent.own ADD CHECK (one > 1)",
        "ALTER TABLE public.account ADD CHECK (one > 1)",
        database=begun_url.database,
    )
    record(served)
    seal_all(served)
    assert served.problems() == []

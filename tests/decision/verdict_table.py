"""The verdict as a table: what holds for every combination of its inputs.

``expected`` follows the formula word for word and knows nothing of the code under test. ``ROWS`` are all
combinations; ``TELLING`` are some of them with their outcome written down by hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

#: What the visitor said about the service. "expired" is a grant that is too old, "changed" one under other
#: terms, "confirmed" a grant whose conflict with the browser's opt-out was settled in two steps.
ANSWERS: Final = ("none", "granted", "refused", "changed", "expired", "confirmed")
MARKS: Final = (None, "sensitive", "first_party")
#: The page the service is limited to, another one, and none (an error page without a view).
ENDPOINTS: Final = ("billing.pay", "home", None)


@dataclass(frozen=True)
class Kind:
    """What matters of a service."""

    always: bool = False
    first_party: bool = True
    agreement: bool = False
    sells_or_shares: bool = False
    limited: bool = False


KINDS: Final = {
    "always on": Kind(always=True),
    "always on, of a third party": Kind(always=True, first_party=False),
    "always on, of a third party, with an agreement, limited": Kind(
        always=True, first_party=False, agreement=True, limited=True
    ),
    "first party": Kind(),
    "first party, sells": Kind(sells_or_shares=True),
    "third party": Kind(first_party=False),
    "third party with an agreement": Kind(first_party=False, agreement=True),
    "third party, sells": Kind(first_party=False, sells_or_shares=True),
    "limited": Kind(limited=True),
    "limited, third party, sells": Kind(first_party=False, sells_or_shares=True, limited=True),
}


@dataclass(frozen=True)
class Row:
    """One combination."""

    kind: str
    answer: str = "none"
    signal: bool = False
    account: bool = False
    mark: str | None = None
    endpoint: str | None = "home"
    minor: bool = False


def all_rows() -> Iterator[Row]:
    """Every combination."""
    yes_no = (False, True)
    for values in product(KINDS, ANSWERS, yes_no, yes_no, MARKS, ENDPOINTS, yes_no):
        yield Row(*values)


ROWS: Final = tuple(all_rows())


def expected(row: Row) -> tuple[bool, str]:
    """Whether the service may run, and the reason."""
    kind = KINDS[row.kind]
    page_includes = not kind.limited or row.endpoint == "billing.pay"
    mark_allows = row.mark is None or kind.first_party or kind.agreement
    page_allows = page_includes and mark_allows

    granted = row.answer in ("granted", "changed", "expired", "confirmed")
    current = row.answer != "changed"
    expired = row.answer == "expired"
    opted_out = row.account or (row.signal and row.answer != "confirmed")

    allows = page_allows and (
        kind.always
        or (
            granted and current and not expired and not (kind.sells_or_shares and opted_out) and not row.minor
        )
    )

    optional = not kind.always
    stops = [
        ("minor", optional and row.minor),
        ("undecided", optional and row.answer == "none"),
        ("expired", optional and expired),
        ("refused", optional and row.answer == "refused"),
        ("changed", optional and not current),
        ("opted_out", optional and kind.sells_or_shares and opted_out),
        ("page", not page_includes),
        ("marked", not mark_allows),
    ]
    yes = "always" if kind.always else "granted"
    return allows, next((reason for reason, stopped in stops if stopped), yes)


TELLING: Final = [
    (Row("always on"), True, "always"),
    (Row("always on", "refused", signal=True, account=True, mark="sensitive", minor=True), True, "always"),
    (Row("always on, of a third party", mark="sensitive"), False, "marked"),
    (Row("always on, of a third party, with an agreement, limited", mark="sensitive"), False, "page"),
    (
        Row(
            "always on, of a third party, with an agreement, limited",
            mark="sensitive",
            endpoint="billing.pay",
        ),
        True,
        "always",
    ),
    (Row("first party"), False, "undecided"),
    (Row("first party", "granted"), True, "granted"),
    (Row("first party", "granted", signal=True, account=True), True, "granted"),
    (Row("first party", "granted", mark="sensitive"), True, "granted"),
    (Row("first party", "granted", minor=True), False, "minor"),
    (Row("first party", minor=True), False, "minor"),
    (Row("first party", "expired"), False, "expired"),
    (Row("first party, sells", "granted", signal=True), False, "opted_out"),
    (Row("first party, sells", "granted", account=True), False, "opted_out"),
    (Row("first party, sells", "confirmed", signal=True), True, "granted"),
    (Row("first party, sells", "confirmed", account=True), False, "opted_out"),
    (Row("first party, sells", "confirmed", signal=True, account=True), False, "opted_out"),
    (Row("first party, sells", "refused", signal=True), False, "refused"),
    (Row("third party", "granted"), True, "granted"),
    (Row("third party", "granted", mark="first_party"), False, "marked"),
    (Row("third party", "refused", mark="first_party"), False, "refused"),
    (Row("third party with an agreement", "granted", mark="first_party"), True, "granted"),
    (Row("third party with an agreement", "changed"), False, "changed"),
    (Row("third party, sells", "confirmed", signal=True, mark="sensitive"), False, "marked"),
    (Row("third party, sells", "confirmed", minor=True), False, "minor"),
    (Row("limited", "granted", endpoint="billing.pay"), True, "granted"),
    (Row("limited", "granted"), False, "page"),
    (Row("limited", "granted", endpoint=None), False, "page"),
    (Row("limited", endpoint="home"), False, "undecided"),
]

"""What every template may use: the interface texts, dates and sums in the visitor's language, and links."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from flask import Flask, current_app, request

from demo_site.account import SignOutForm, user
from demo_site.preferences import language
from demo_site.wording import LANGUAGES, direction, wording


def init_app(app: Flask) -> None:
    """Gives *app*'s templates what they use."""
    app.context_processor(names)
    app.jinja_env.filters.update(money=money, day=day, clock=clock, number=number, percent=percent)


def names() -> dict[str, Any]:
    """The names that every template knows."""
    return {
        "t": text,
        "language": language(),
        "direction": direction(language()),
        "language_links": language_links(),
        "user": user(),
        "sign_out_form": SignOutForm() if user() else None,
        "effective": current_app.config["DEMO_DECLARATION"].effective,
        "third_party": current_app.config["DEMO_THIRD_PARTY"],
        "page_id": (request.endpoint or "unknown").rpartition(".")[2],
    }


def text(name: str) -> str:
    """The interface text *name* in the visitor's language."""
    return wording(language())[name]


def language_links() -> list[tuple[str, str, str]]:
    """Tag, own name and address of this page in each language. The address is a query only: it stays on the page."""
    others = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    return [(tag, name, "?" + urlencode([*others, ("lang", tag)])) for tag, name in LANGUAGES.items()]


def money(cents: int) -> str:
    """A sum in US dollars."""
    return format_currency(Decimal(cents) / 100, "USD", locale=language())


def day(value: date | str) -> str:
    """A date in words; text is YYYY-MM-DD."""
    return format_date(
        date.fromisoformat(value) if isinstance(value, str) else value, "long", locale=language()
    )


def clock(moment: datetime) -> str:
    """The time of day to the second, UTC."""
    return format_time(moment, "HH:mm:ss", locale=language())


def number(value: int) -> str:
    """A whole number with its thousands apart."""
    return format_decimal(value, locale=language())


def percent(share: float) -> str:
    """A share of 1 in per cent, with one decimal, on a page that is English only."""
    return format_percent(share, "0.0%", locale="en")

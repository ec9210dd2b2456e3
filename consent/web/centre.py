"""The preference centre as a page."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import request

from consent.web.erasure import offered
from consent.web.notice import marks
from consent.web.optout import link_name
from consent.web.page import addresses_of, again, page, status
from consent.web.receipts import address
from consent.web.request import ConsentRequest
from consent.web.returning import safe_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why an answer couldn't be taken, for ``_problem.html``."""

    code: int
    """The HTTP status."""
    about: str = ""
    """Which words say it: those of the status, unless something else is named."""
    held: bool = False
    """Whether the refusals in it hold all the same."""
    faults: tuple[str, ...] = ()
    """The fields that couldn't be read."""

    reason: str = ""
    """Why a service stays off: the last part of ``reason.…`` in the catalogue."""

    @property
    def id(self) -> str:
        """Where its words are in the catalogue."""
        return f"error.{self.about or self.code}"

    @property
    def changed(self) -> str:
        """Where the words are that say what was changed: where refusals hold, only that nothing was turned on."""
        return "error.409.changed" if self.held else f"{self.id}.changed"


def centre(
    visitor: ConsentRequest,
    *,
    marked: Iterable[str] | None = None,
    problem: Problem | None = None,
    back: str | None = None,
) -> str:
    """The page's HTML, with *marked* answers instead of the visitor's own, *problem* on top, and a link *back*."""
    notice = visitor.notice
    answers = marks(visitor.site.policy, visitor.decision) if marked is None else marked
    back = back or safe_path(request.args.get("next"))
    away = back if back and urlsplit(back).path != addresses_of(visitor)["centre"] else None
    return page(
        visitor,
        f"{problem.id}.title" if problem else link_name(visitor),
        "choices.html",
        centre=notice.marked(answers),
        problem=problem,
        again=again(visitor),
        status=status(visitor, on_centre=True, back=away),
        erase=offered(visitor, request.args.get("erase")),
        receipt=address(visitor, request.args.get("receipt")),
        next=back,
    )

"""What visitors send, of any length, fills no process's memory."""

import tracemalloc
from collections.abc import Callable

import pytest

from consent.policy import DeclaredCookies
from consent.web.language import accepted
from consent.web.memory import LONGEST
from consent.web.returning import address, quoted
from consent.web.setcookie import SetCookie
from consent.web.site import Site
from consent.web.source import letting_in, source

#: How often each is asked, with a text of a length that servers let pass.
TIMES, LONG = 600, 4000
#: Bytes that may be left of all that.
ROOM = 100_000

ASKED: dict[str, Callable[[str], object]] = {
    "a page's path": lambda text: address("", f"/{text}", ""),
    "a page's query": lambda text: address("", "/", text),
    "an address in a link": quoted,
    "a language": lambda text: accepted(text, ("en", "de")),
    "a cookie's attributes": lambda text: SetCookie.read(
        f"a=b; Path=/{text[:2000]}; Domain={text[:2000]}", now=0
    ),
    "an embed's origin": lambda text: letting_in(f"https://{text}"),
    "a source": lambda text: source(f"https://a.example/{text}"),
}


def left(ask: Callable[[str], object]) -> int:
    """Bytes that are left once *ask* was asked for many long texts."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(TIMES):
            ask(f"{number:04}" * (LONG // 4))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


@pytest.mark.parametrize("what", ASKED)
def test_long_texts_are_not_kept(what: str) -> None:
    assert left(ASKED[what]) < ROOM


def test_long_names_of_cookies_are_not_kept(site: Site) -> None:
    assert left(site.declared.of) < ROOM


def test_short_texts_are_worked_out_once() -> None:
    path = "/" + "a" * (LONGEST - 1)
    assert address("", path, "") is address("", path, "")
    assert address("", f"{path}a", "") is not address("", f"{path}a", "")


def test_a_name_that_no_browser_can_have_is_no_cookie(site: Site) -> None:
    assert isinstance(site.declared, DeclaredCookies)
    start = "visit_"
    assert site.declared.of(start + "1" * (4096 - len(start)))
    assert not site.declared.of(start + "1" * (4097 - len(start)))

"""Style sheets and modules: what is served of them, and for how long it may be kept."""

import hashlib

import pytest
from flask import Flask

from consent.web.assets import COMMENT, STATIC, asset, assets, lean


def test_comments_and_indentation_stay_behind() -> None:
    source = """/** What it is:
 * // two lines. */
/** @type {any} */
const { one } = /** @type {any} */ (window); // why
  // A line.
  if (one)

    say(`https://example.org/${one}`, "a // b", / \\/\\/ /);
"""
    assert lean(source) == (
        "const { one } = (window); // why\nif (one)\n"
        'say(`https://example.org/${one}`, "a // b", / \\/\\/ /);\n'
    )
    assert lean("/* One. */\n.a {\n  b: c; /* Two. */\n}\n") == ".a {\nb: c;\n}\n"


@pytest.mark.parametrize("name", assets())
def test_no_string_of_ours_holds_the_beginning_of_a_comment_or_the_end_of_a_line(name: str) -> None:
    source = (STATIC / name).read_text(encoding="utf-8")
    starts = [found.start() for found in COMMENT.finditer(source)]
    before = [source[source.rfind("\n", 0, start) + 1 : start] for start in starts]
    for part in [*before, *lean(source).splitlines()]:
        assert part.count('"') % 2 == part.count("`") % 2 == 0, part


@pytest.mark.parametrize("name", assets())
def test_a_file_is_served_for_ever_under_the_address_of_its_content(app: Flask, name: str) -> None:
    with app.test_request_context():
        address = asset(name)
    client = app.test_client()
    answer = client.get(address)
    assert f"v={hashlib.sha256(answer.data).hexdigest()[:12]}" in address
    assert answer.content_type == f"text/{'css' if name.endswith('.css') else 'javascript'}; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in answer.headers
    plain = address.partition("?")[0]
    for path in (plain, f"{plain}?v=0"):
        assert client.get(path).headers["Cache-Control"] == "no-cache"
    again = client.get(plain, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")

"""Style sheets and modules: what is served of them, and for how long it may be kept."""

import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask, render_template_string

from consent.web.assets import COMMENT, STATIC, asset, assets, lean

from .clinic import POLICY, site_in

PLAIN = POLICY.replace("sells_or_shares = true", "sells_or_shares = false")
KEEPING = PLAIN.replace('title = "Statistics"', 'title = "Statistics"\nstorage = { "visit.*" = "local" }')


def test_comments_and_indentation_stay_behind() -> None:
    source = """/** What it is:
 * // two lines. */
/** @type {any} */
const { one } = /** @type {any} */ (window); // why
  // A line.
  if (one)

    say(`https://example.org/${one}`, "a // b", / \\/\\/ /);
"""
    assert lean(source, ".js") == (
        'const{one}=(window);// why\nif(one)\nsay(`https://example.org/${one}`,"a // b",/ \\/\\/ /);\n'
    )
    assert lean("/* One. */\n.a {\n  b: c; /* Two. */\n}\n", ".css") == ".a{b:c;}\n"


@pytest.mark.parametrize(
    ("kind", "source", "served"),
    [
        (".js", "if (a) b = c ? `d = ${e}` : \"f = g\" + 'h, i';", "if(a)b=c?`d = ${e}`:\"f = g\" + 'h, i';"),
        (".js", "const at = a + +b - -c;", "const at=a + +b - -c;"),
        (".js", "x ? .5 : y ?? { z };", "x?.5:y??{z};"),
        (
            ".css",
            ".a > .b :is(.c, .d) + * { e: calc(-1px - 2px) }",
            ".a>.b :is(.c,.d) + *{e:calc(-1px - 2px)}",
        ),
        (".css", '@media (width >= 1px) and (b) { .a:not(.b) .c { d: "e, f" } }', None),
    ],
)
def test_only_spaces_that_say_nothing_go(kind: str, source: str, served: str | None) -> None:
    served = served or '@media (width>= 1px) and (b){.a:not(.b) .c{d:"e, f"}}'
    assert lean(source, kind) == f"{served}\n"


@pytest.mark.parametrize("name", assets())
def test_no_string_of_ours_holds_the_beginning_of_a_comment_or_the_end_of_a_line(name: str) -> None:
    source = (STATIC / name).read_text(encoding="utf-8")
    starts = [found.start() for found in COMMENT.finditer(source)]
    before = [source[source.rfind("\n", 0, start) + 1 : start] for start in starts]
    for part in [*before, *lean(source, Path(name).suffix).splitlines()]:
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


def test_a_module_asks_for_another_under_the_address_of_its_content() -> None:
    found = assets()
    assert f'import("./answers.js?v={found["answers.js"].version}")' in found["choices.js"].body.decode()


@pytest.mark.parametrize(
    ("policy", "cached", "head", "names"),
    [
        (PLAIN, False, "", "choices"),
        (KEEPING, False, "", "choices kept"),
        (POLICY, False, "", "choices heard"),
        (PLAIN, False, "inert=true", "choices gated"),
        (KEEPING, False, "inert=true", "choices kept gated"),
        (PLAIN, True, "", "first answers choices gated"),
        (KEEPING, True, "", "first answers choices gated kept"),
    ],
)
def test_a_page_loads_the_modules_that_it_needs_and_no_others(
    tmp_path: Path, policy: str, cached: bool, head: str, names: str
) -> None:
    app = site_in(tmp_path, policy, CONSENT_CACHE_SAFE=cached)
    app.add_url_rule("/head", "head", lambda: render_template_string("{{ consent_head(" + head + ") }}"))
    assert re.findall(r"/static/(\w+)\.js", app.test_client().get("/head").text) == names.split()

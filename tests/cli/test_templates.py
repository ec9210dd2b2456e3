"""``check`` reads templates: inert markup that never lives, or lives unasked, and policies that nobody edits."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from .conftest import run_for
from .test_check import found

ASKS_FIRST = "Take it out of <noscript>; consent_pixel and consent_embed ask first, and need no JavaScript."


def said_of(app: Flask, folder: Path, text: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Faults and advice about a template with *text*."""
    (folder / "templates").mkdir()
    (folder / "templates" / "home.html").write_text(text)
    answer: dict[str, Any] = found(run_for(app))
    return answer["faults"], answer["advice"]


WRONG = {
    "a service that isn't there": (
        '<script type="text/plain" data-service="statistcs" data-src="/s.js"></script>',
        'Did you mean "statistics"?',
    ),
    "a category that isn't there": ('<template data-category="performnce"></template>', '"performance"?'),
    "a link of neither": ('<link rel="stylesheet" data-service="fonts" data-href="/f.css">', "There are: "),
    "what is loaded at once": (
        '<iframe data-service="videos" src="https://video.example/1" data-src="https://video.example/1"></iframe>',
        "Remove src.",
    ),
    "a link loaded at once": (
        '<link data-service="statistics" href="//fonts.example/a" data-href="//fonts.example/a">',
        "Remove href.",
    ),
    "a pixel within noscript": (
        '<noscript><img data-service="statistics" data-src="/p.gif" src="data:," alt=""></noscript>',
        "Take it out of <noscript>.",
    ),
    "another company's pixel within noscript": (
        '<noscript><img src="https://pixel.example/p?{{ id }}" height="1" width="1" alt=""></noscript>',
        "Take it out of <noscript>;",
    ),
    "one hidden by its style": (
        '<noscript><div><img alt="" src="//pixel.example/p" style="Display : None"></div></noscript>',
        "Take it out of <noscript>;",
    ),
    "a tag manager's frame within noscript": (
        '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-1" height="0"></iframe></noscript>',
        "Take it out of <noscript>;",
    ),
    "what a service declares within noscript": (
        '<noscript><iframe src="https://video.example/1" title="A film"></iframe></noscript>',
        "Take it out of <noscript>;",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_inert_markup_that_cannot_do_what_it_says_is_a_fault_with_its_line(
    app: Flask, tmp_path: Path, name: str
) -> None:
    html, fix = WRONG[name]
    faults, advice = said_of(app, tmp_path, "{# one\ntwo #}<p>{{ 'three'\n}}</p>\n" + html)
    (fault,) = faults
    assert fault["place"] == "template home.html, line 4"
    assert fix in fault["fix"]
    assert advice == []


@pytest.mark.parametrize(
    "html",
    [
        '<script type="text/plain" data-service="statistics" data-src="{{ url }}"></script>',
        '<script type="text/plain" data-service="{{ key }}" data-src="/s.js"></script>',
        '<img data-service="statistics" data-src="/p.gif" src="data:," alt="">',
        '<img data-service="videos" data-src="https://video.example/p" src="/static/still.png" alt="">',
        '<iframe data-category="media" data-service="videos" data-src="https://video.example/1"></iframe>',
        '<li data-category="shoes">Shoes</li><img data-src="/lazy.png" src="https://a.example/b" alt="">',
        '<noscript><img src="https://clinic.example/1.gif" width="1" alt=""></noscript>',
        '<noscript><img src="{{ url }}" width="1" alt=""></noscript><img src="https://a.example/b" width="1">',
        '<noscript><img src="/own.png" alt=""></noscript><template data-service="statistics"></template>',
        '{% raw %}{{ x }}{% endraw %}<meta http-equiv="refresh" content="9">',
        '<meta name="referrer" content="strict-origin-when-cross-origin">',
        "{% broken <script data-service='x' data-src='y'>",
    ],
)
def test_what_is_right_and_what_is_not_ours_passes(app: Flask, tmp_path: Path, html: str) -> None:
    assert said_of(app, tmp_path, html) == ([], [])


def test_an_unknown_key_within_an_if_may_wait_for_the_next_revision(app: Flask, tmp_path: Path) -> None:
    late = '<script type="text/plain" data-service="talks" data-src="/s.js"></script>'
    faults, advice = said_of(
        app, tmp_path, f"{{% if soon %}}{{{{ 1 if a else 2 }}}}\n{late}{{% endif %}}\n{late}"
    )
    assert [one["place"] for one in faults] == ["template home.html, line 3"]
    assert [one["place"] for one in advice] == ["template home.html, line 2"]


@pytest.mark.parametrize(
    ("html", "said"),
    [
        (
            '<script type="text/plain" data-service="statistics" src="/s.js"></script>',
            "Write data-src instead.",
        ),
        ('<meta http-equiv="Content-Security-Policy" content="{{ csp }}">', "Send it as a header."),
        (
            '<meta name="Referrer" content="unsafe-URL">',
            "Send it as a header: marked pages have their own.",
        ),
        ('<noscript><img src="https://pictures.example/1.jpg" alt="A house"></noscript>', ASKS_FIRST),
        (
            '{% call consent_block("statistics") %}<noscript><img src="https://p.example/1" width="1" alt="">'
            "</noscript>{% endcall %}",
            ASKS_FIRST,
        ),
        (
            '<noscript>{{ consent_pixel("statistics", src="/p.gif") }}</noscript>',
            "Take it out of <noscript>.",
        ),
    ],
)
def test_what_does_less_than_it_seems_is_advice(app: Flask, tmp_path: Path, html: str, said: str) -> None:
    faults, advice = said_of(app, tmp_path, html)
    assert faults == []
    assert [one["fix"] for one in advice] == [said]

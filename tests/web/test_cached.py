"""Pages for shared caches: the same bytes for everybody, and each visitor's answer all the same."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, render_template_string, request
from flask.testing import FlaskClient
from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from consent import Consent
from consent.testing import ConsentClient, assert_nothing_undeclared
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events

CARRIED = (
    POLICY
    + """
[services.chat]
category = "functionality"
purposes = ["chat"]
title = "Chat"
text = "Chat on the help pages."
pages = ["help"]
cookies = { chat = "1 day" }

[services.payment]
category = "essential"
provider = "video_co"
purposes = ["payment"]
text = "Takes payments."
data = ["card"]
retention = "7 years"
sells_or_shares = false
script = ["https://pay.example"]

[carriers.tags]
provider = "video_co"
script = ["https://tags.example"]

[services.reach]
category = "performance"
provider = "video_co"
purposes = ["measurement"]
via = "tags"
text = "Counts visits."
data = ["pages"]
retention = "1 year"
sells_or_shares = false
img = ["https://reach.example"]
"""
)
PAGE = """<!doctype html><html lang="en"><head><title>Page</title>{{ consent_head() }}</head>
<body>{{ consent_banner() }}{{ consent_signal() }}<main>
{% call consent_block("statistics") %}<p>counted</p><script src="/in-block.js"></script>{% endcall %}
{{ consent_script("statistics", src="/count.js?a=1&b=2", type="module", async_=True, id='"><b>') }}
{{ consent_script("tags", src="/tags.js") }}
{{ consent_script("payment", src="/pay.js") }}
{{ consent_script("chat", src="/chat.js") }}
{{ consent_pixel("statistics", src="/pixel.gif") }}
{{ consent_embed("videos", src="https://video.example/v/1", title="A <film>") }}
{% call consent_block("media") %}<p>all media</p>{% endcall %}
</main>{{ consent_link() }}</body></html>"""
CSP = "default-src 'self'; script-src 'self' https://video.example"


@pytest.fixture
def cached(make_app: MakeSite) -> Flask:
    """The site in cache-safe mode, with pages that a shared cache may keep for a minute."""
    app = make_app(policy=CARRIED, CONSENT_CACHE_SAFE=True)
    marks = Consent()

    @app.get("/page")
    def page() -> str:
        return render_template_string(PAGE)

    @app.get("/help")
    def help() -> str:
        return render_template_string(PAGE)

    @app.get("/results")
    @marks.sensitive
    def results() -> str:
        return render_template_string(PAGE)

    @app.after_request
    def keep(response: Response) -> Response:
        if request.path in ("/page", "/help", "/results"):
            response.headers["Cache-Control"] = "public, max-age=60"
            response.headers["Content-Security-Policy"] = CSP
        return response

    return app


@pytest.fixture
def client(cached: Flask) -> Iterator[FlaskClient]:
    """A browser that hasn't answered."""
    with cached.test_client() as client:
        yield client


@pytest.fixture
def site(cached: Flask) -> Site:
    """The app's consent."""
    found: Site = cached.extensions["consent"]
    return found


def sent(response: TestResponse) -> tuple[bytes, list[tuple[str, str]]]:
    """All that a cache would keep of *response*."""
    return response.data, sorted(response.headers)


def state(client: FlaskClient, **headers: str) -> dict[str, object]:
    """What the browser of *client* is told of its answer."""
    found: dict[str, object] = client.get("/privacy-choices/state", headers=headers).get_json()
    return found


def readable(response: TestResponse) -> str | None:
    """The ``Set-Cookie`` of *response* that scripts read."""
    found = [value for value in response.headers.getlist("Set-Cookie") if value.startswith("consent-shown=")]
    assert len(found) < 2
    return found[0] if found else None


@pytest.mark.requirement("ENF-06")
@pytest.mark.parametrize("path", ["/page", "/help", "/results", "/missing"])
def test_everybody_is_sent_the_same_bytes_and_headers(cached: Flask, path: str) -> None:
    stranger = sent(cached.test_client().get(path))
    forged = cached.test_client()
    forged.set_cookie("consent", "1.forged")
    forged.set_cookie("consent-shown", "statistics.videos")
    leftovers = cached.test_client(refuse=True)
    leftovers.set_cookie("visit", "1")
    for client in (
        cached.test_client(refuse=True),
        cached.test_client(grant={"statistics"}),
        cached.test_client(grant={"names", "statistics", "experiment", "videos", "reach", "chat"}),
        forged,
        leftovers,
    ):
        for headers in ({}, {"Sec-GPC": "1"}):
            assert sent(client.get(path, headers=headers)) == stranger
    kept = Headers(stranger[1])
    assert "Set-Cookie" not in kept
    assert "Cookie" not in kept.get("Vary", "")
    assert kept.get("Cache-Control") == (None if path == "/missing" else "public, max-age=60")


@pytest.mark.requirement("ENF-06")
def test_a_child_is_sent_the_same_too(make_app: MakeSite) -> None:
    child = False
    app = make_app(CONSENT_CACHE_SAFE=True, CONSENT_MINOR=lambda: child)
    adult = sent(app.test_client().get("/"))
    asked = state(app.test_client())
    child = True
    assert sent(app.test_client().get("/")) == adult
    assert b" data-pc-waits" in adult[0], "so the banner waits for the server's word"
    assert (asked["decided"], state(app.test_client())["decided"]) == (False, True)
    assert "display: none" in app.test_client().get("/privacy-choices/state.css").text


@pytest.mark.requirement("ENF-06")
def test_a_view_that_asks_makes_its_own_page_private(cached: Flask) -> None:
    response = cached.test_client(grant={"statistics"}).get("/allowed/statistics")
    assert response.text == "yes"
    assert response.headers["Cache-Control"] == "private"
    assert "Cookie" in response.headers["Vary"]


@pytest.mark.requirement("ENF-01")
def test_a_view_that_sets_an_optional_cookie_makes_its_page_private(cached: Flask) -> None:
    @cached.get("/counting")
    def counting() -> Response:
        response = Response("counted", headers={"Cache-Control": "public, max-age=60"})
        response.set_cookie("visit", "1")
        return response

    for client, names in (
        (cached.test_client(refuse=True), 0),
        (cached.test_client(grant={"statistics"}), 1),
    ):
        response = client.get("/counting")
        assert len(response.headers.getlist("Set-Cookie")) == names
        assert response.headers["Cache-Control"] == "private, max-age=60"


@pytest.mark.requirement("ENF-02")
def test_what_may_run_for_somebody_waits_in_the_page(client: FlaskClient) -> None:
    html = client.get("/page").text
    assert (
        '<template data-service="statistics"><p>counted</p><script src="/in-block.js"></script></template>'
        in html
    )
    assert (
        '<script type="text/plain" data-service="statistics" data-src="/count.js?a=1&amp;b=2" data-type="module"'
        ' data-async id="&#34;&gt;&lt;b&gt;"></script>'
    ) in html
    assert '<script type="text/plain" data-service="reach" data-src="/tags.js"></script>' in html
    assert '<template data-service="statistics"><img src="/pixel.gif"' in html
    assert '<template data-category="media"><p>all media</p></template>' in html
    assert re.search(
        r'<template data-service="videos" data-pc-instead>'
        r'<iframe src="https://video.example/v/1" title="A &lt;film&gt;"></iframe></template>'
        r'<div class="pc pc-embed"',
        html,
    )
    noscript = re.findall(r"<noscript>(.*?)</noscript>", html, re.S)
    assert noscript == ['<link rel="stylesheet" href="/privacy-choices/state.css">']


def test_what_is_always_on_runs_for_everybody(client: FlaskClient) -> None:
    assert '<script src="/pay.js"></script>' in client.get("/page").text


@pytest.mark.requirement("ENF-02")
def test_what_can_never_run_on_a_page_is_not_in_it(client: FlaskClient) -> None:
    assert "/chat.js" not in client.get("/page").text
    assert '<script type="text/plain" data-service="chat" data-src="/chat.js">' in client.get("/help").text
    marked = client.get("/results").text
    for absent in ("/tags.js", "<iframe", "all media", "/pay.js"):
        assert absent not in marked
    assert "pc-embed" in marked, "an embed's place says what it would be"
    assert 'data-src="/count.js' in marked, "the site's own may run there"


@pytest.mark.requirement("ENF-02")
def test_the_page_claims_nothing_for_anybody_and_says_what_is_possible_on_it(make_app: MakeSite) -> None:
    limited = CARRIED + (
        '[services.ads]\ncategory = "media"\nprovider = "video_co"\npurposes = ["advertising"]\nvia = "tags"\n'
        'text = "Ads."\ndata = ["pages"]\nretention = "1 year"\nsells_or_shares = false\npages = ["help"]\n'
    )
    client = make_app(policy=limited, CONSENT_CACHE_SAFE=True).test_client(grant={"ads"})
    html = client.get("/").text
    [granted] = re.findall(r'data-pc-granted="([^"]*)"', html)
    [possible] = re.findall(r'data-pc-possible="([^"]*)"', html)
    assert granted.split() == ["choices", "essential", "notice_acceptance", "payment", "session"]
    assert {*granted.split(), "reach", "statistics", "videos"} <= {*possible.split()}
    # For whom the tag manager is here, only the server could tell: it carries something for other pages too.
    assert not {"tags", "ads", "chat", "media", "functionality"} & {*possible.split()}


def test_a_block_of_what_can_never_run_is_not_evaluated(cached: Flask) -> None:
    seen: list[int] = []

    def see() -> str:
        seen.append(1)
        return ""

    @cached.get("/block")
    def block() -> str:
        return render_template_string('{% call consent_block("chat") %}{{ see() }}{% endcall %}', see=see)

    assert cached.test_client().get("/block").text == ""
    assert seen == []


def test_an_unknown_key_is_an_error_here_too(cached: Flask) -> None:
    @cached.get("/typo")
    def typo() -> str:
        return render_template_string('{{ consent_script("statistcs", src="/a.js") }}')

    with pytest.raises(LookupError, match="statistics"):
        cached.test_client().get("/typo")


@pytest.mark.requirement("ENF-05")
def test_the_security_policy_lets_in_what_may_run_on_that_page_for_somebody(client: FlaskClient) -> None:
    policy = client.get("/page").headers["Content-Security-Policy"]
    assert "https://tags.example" in policy
    assert "https://reach.example" in policy
    assert re.search(r"frame-src [^;]*https://video\.example", policy)
    marked = client.get("/results").headers["Content-Security-Policy"]
    assert "example" not in marked


@pytest.mark.requirement("CK-01")
@pytest.mark.parametrize("base", ["http://localhost", "https://localhost"])
def test_each_answer_sets_a_readable_cookie_that_names_nobody(
    client: FlaskClient, site: Site, base: str
) -> None:
    prefix, secure = ("__Host-", True) if base.startswith("https") else ("", False)
    headers = {**SAME, "Referer": f"{base}/"}
    for choice, keys in (
        (
            "all",
            ["experiment", "functionality", "media", "names", "performance", "reach", "statistics", "videos"],
        ),
        ("none", []),
    ):
        html = client.get("/privacy-choices", base_url=base).text
        found = re.search(r'name="notice" value="([0-9a-f]{64})"', html)
        assert found
        data = {"notice": found[1], "choice": choice, "from": "banner"}
        if keys:
            keys = sorted([*keys, "chat", "tags"])
        response = client.post("/privacy-choices", data=data, headers=headers, base_url=base)
        values = {v.partition("=")[0]: v for v in response.headers.getlist("Set-Cookie") if "consent" in v}
        signed, shown = values[f"{prefix}consent"], values[f"{prefix}consent-shown"]
        value, *attributes = shown.split("; ")
        assert value == f"{prefix}consent-shown={'.'.join([site.policy.digest[:12], *keys])}"
        assert "HttpOnly" not in attributes
        assert ("Secure" in attributes) == secure
        assert "SameSite=Lax" in attributes
        age = re.compile(r"Max-Age=\d+")
        assert age.findall(shown) == age.findall(signed) != []


def test_the_readable_cookie_fits_a_browser_however_much_is_granted(make_app: MakeSite) -> None:
    services = "".join(
        f'\n[services.{"s" * 37}{number:03}]\ncategory = "performance"\npurposes = ["testing"]\ntext = "Tests."\n'
        for number in range(95)
    )
    visitor = Visitor(make_app(policy=POLICY + services, CONSENT_CACHE_SAFE=True).test_client())
    (shown,) = (
        value for value in visitor.answer("all").headers.getlist("Set-Cookie") if "consent-shown=" in value
    )
    value = shown.partition(";")[0]
    assert 900 < len(value) < 1100
    assert value.split(".")[-1] == "s" * 37 + value[-3:], "no key is cut"


def test_the_readable_cookie_counts_for_nothing(client: FlaskClient, site: Site) -> None:
    client.set_cookie("consent-shown", f"{site.policy.digest[:12]}.statistics")
    assert client.get("/allowed/statistics").text.startswith("no")
    answer = client.get("/privacy-choices/state")
    assert answer.get_json()["granted"] == state(client)["granted"]
    assert "statistics" not in answer.get_json()["granted"]
    assert "Max-Age=0" in str(readable(answer)), "and it is deleted as soon as the server is asked"
    assert client.get_cookie("consent-shown") is None


def test_who_has_not_answered_gets_no_cookie(client: FlaskClient) -> None:
    for path in ("/page", "/privacy-choices", "/privacy-choices/state", "/privacy-choices/state.css"):
        assert client.get(path).headers.getlist("Set-Cookie") == []


def test_asking_mends_the_readable_cookie_and_renews_nothing(
    client: FlaskClient, site: Site, clock: Clock
) -> None:
    Visitor(client).answer("all")
    client.delete_cookie("consent-shown")
    clock.pass_days(10)
    mended = readable(client.get("/privacy-choices/state"))
    assert mended is not None
    assert f"={site.policy.digest[:12]}." in mended
    assert f"Max-Age={(365 - 10) * 86_400}" in mended


@pytest.mark.requirement("TTL-01")
def test_an_answer_that_has_expired_is_asked_again_in_words(client: FlaskClient, clock: Clock) -> None:
    Visitor(client).answer("all")
    assert state(client)["again"] == ""
    clock.pass_days(200)
    page = client.get("/page")
    told = client.get("/privacy-choices/state")
    found = told.get_json()
    assert (found["decided"], "statistics" in found["granted"]) == (False, False)
    assert "Your last answer has reached its end." in found["again"]
    assert "Your last answer" not in page.text
    assert "Max-Age=0" in str(readable(told))


@pytest.mark.requirement("GPC-04")
@pytest.mark.requirement("GPC-07")
@pytest.mark.parametrize("path", ["/privacy-choices/state", "/privacy-choices/state.css"])
def test_the_signal_ends_a_grant_where_the_browser_asks(client: FlaskClient, site: Site, path: str) -> None:
    visitor = Visitor(client)
    visitor.answer("all")
    assert client.get("/page", headers={"Sec-GPC": "1"}).headers.getlist("Set-Cookie") == []
    assert [event.kind for event in events(site)] == ["given"]
    response = client.get(path, headers={"Sec-GPC": "1"})
    assert [event.kind for event in events(site)] == ["given", "signal_opt_out"]
    assert "videos" not in str(readable(response))
    found = state(client)
    assert "videos" not in found["granted"]  # type: ignore[operator]
    assert "Opt-Out Request Honored" in str(found["signal"])


@pytest.mark.requirement("GPC-02")
def test_a_signal_that_only_scripts_see_narrows_and_ends_the_same(client: FlaskClient, site: Site) -> None:
    Visitor(client).answer("all")
    assert "videos" in state(client)["granted"]  # type: ignore[operator]
    heard = client.get("/privacy-choices/state", headers={"PC-Signal": "1"})
    assert "videos" not in heard.get_json()["granted"]
    assert "videos" not in str(readable(heard))
    assert [(event.kind, event.source) for event in events(site)][1:] == [("signal_opt_out", "navigator")]
    assert "videos" not in state(client)["granted"]  # type: ignore[operator]


@pytest.mark.requirement("ENF-08")
@pytest.mark.parametrize("path", ["/privacy-choices/state", "/privacy-choices/state.css"])
def test_leftovers_go_where_the_browser_asks(client: FlaskClient, path: str) -> None:
    Visitor(client).answer("none")
    client.set_cookie("visit", "1")
    client.get("/page")
    assert client.get_cookie("visit") is not None
    client.get(path)
    assert client.get_cookie("visit") is None


def test_the_style_sheet_hides_the_banner_from_who_has_answered(client: FlaskClient) -> None:
    before = client.get("/privacy-choices/state.css")
    assert (before.mimetype, before.headers["Cache-Control"]) == ("text/css", "no-store")
    assert ".pc-place" not in before.text
    Visitor(client).answer("none")
    after = client.get("/privacy-choices/state.css")
    assert ".pc-place" in after.text
    assert after.headers["Cache-Control"] == "no-store"


def test_after_an_answer_without_javascript_the_page_says_what_is_true_for_everybody(
    client: FlaskClient,
) -> None:
    response = Visitor(client).answer("none")
    assert response.headers["Location"].endswith("#pc-status")
    html = client.get("/page").text
    assert re.search(r'id="pc-status".*?We have received your answer\.', html, re.S)
    assert "Everything optional is off" in str(state(client)["message"])


@pytest.mark.requirement("CON-12")
def test_a_placeholder_says_what_holds_for_who_has_allowed_it_too(
    make_app: MakeSite, client: FlaskClient
) -> None:
    html = client.get("/page").text
    assert "It loads by itself only if you have allowed it and JavaScript is on.</p>" in html
    assert "until you allow it" not in html
    for answered in (False, True):
        if answered:
            Visitor(client).answer("all")
        sheet = client.get("/privacy-choices/state.css").text
        assert ".pc-embed [value=always] { display: none !important; }" in sheet
    alone = make_app(policy=CARRIED)
    alone.add_url_rule("/page", "page", lambda: render_template_string(PAGE))
    assert "It stays off until you allow it.</p>" in alone.test_client().get("/page").text


@pytest.mark.parametrize("mode", [True, False])
def test_what_holds_for_the_visitor_is_for_pages_of_the_same_host_only(
    make_app: MakeSite, mode: bool
) -> None:
    shared = {"CONSENT_SITE": "https://clinic.example", "CONSENT_COOKIE_DOMAIN": "clinic.example"}
    app = make_app(CONSENT_CACHE_SAFE=mode, **shared)
    for host in ("https://clinic.example", "https://shop.clinic.example"):
        client = app.test_client()
        found = re.findall(r'(?:href|src|action|data-pc-url)="([^#"]+)"', client.get("/", base_url=host).text)
        assert "/privacy-choices" in found
        ours = [each for each in found if "privacy-choices" in each]
        assert all(each.startswith("/privacy-choices") for each in ours), (
            "each host's pages ask their own host"
        )
        for path in ("", "/state", "/state.css", "/mine"):
            answer = client.get(f"/privacy-choices{path}", base_url=host)
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        [css] = [each for each in ours if "choices.css" in each]
        with client.get(css, base_url=host) as file:
            assert "Cross-Origin-Resource-Policy" not in file.headers


def test_both_cookies_are_declared_by_themselves(cached: Flask, site: Site) -> None:
    names = [cookie.name for cookie in site.policy.service("choices").cookies]
    assert names == ["__Host-consent", "__Host-consent-shown"]
    assert_nothing_undeclared(cached, "/page", "/privacy-choices/state")
    assert "__Host-consent-shown" in cached.test_client().get("/privacy-choices/declaration").text


def test_without_the_mode_there_is_no_readable_cookie(app: Flask) -> None:
    with app.test_client() as client:
        response = Visitor(client).answer("all")
        assert readable(response) is None
        assert readable(client.get("/privacy-choices/state")) is None
        assert [each.name for each in app.extensions["consent"].policy.service("choices").cookies] == [
            "__Host-consent"
        ]


def test_turning_the_mode_on_asks_nobody_again(make_app: MakeSite, tmp_path: Path) -> None:
    before = make_app().test_client()
    Visitor(before).answer("all")
    held = before.get_cookie("consent")
    assert held is not None
    app = make_app(CONSENT_CACHE_SAFE=True)
    after = app.test_client()
    after.set_cookie("consent", held.value)
    assert state(after)["decided"] is True
    assert Visitor(app.test_client()).answer("all").status_code == 303, "grants are recorded as before"


def test_a_client_with_an_answer_works_in_this_mode(cached: Flask) -> None:
    client = cached.test_client(grant={"statistics"})
    assert isinstance(client, ConsentClient)
    assert "statistics" in state(client)["granted"]  # type: ignore[operator]


@pytest.mark.requirement("ENF-06")
def test_a_frame_of_turbo_is_never_shared(client: FlaskClient) -> None:
    headers = {"Turbo-Frame": "main", "Referer": "http://localhost/results", "Sec-Fetch-Site": "same-origin"}
    response = client.get("/page", headers=headers)
    assert Markup("turbo-visit-control") in response.text
    assert response.headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("</template><script src=/x.js></script>", "begins"),
        ("<p></TempLate\t><p>", "begins"),
        ("</template/><template>", "begins"),
        ("<template></template></template >", "begins"),
        ("<template id=a>", "ends"),
        ("<!-- <template> --></template><script src=/x.js></script>", "browsers see none"),
        ('<p title="<template>"></template><p>', "browsers see none"),
        ("<script>'<template>'</script></template><p>", "browsers see none"),
        ("<textarea><template></textarea></template><p>", "browsers see none"),
        ("<style/><template></style></template><p>", "browsers see none"),
        ("<svg><g><svg></svg><template></g></svg></template><p>", "browsers see none"),
        ("<template><p></template><templates></templates>", None),
        ("<svg/><!-- < --><script>1</script><template><iframe></iframe></template>", None),
        ("<!-- the <svg> --><template/><svg><svg/></svg></template>", None),
    ],
)
def test_what_waits_cannot_end_the_template_it_waits_in(
    cached: Flask, client: FlaskClient, body: str, fault: str | None
) -> None:
    template = '{% call consent_block("statistics") %}{{ body | safe }}{% endcall %}'
    cached.add_url_rule("/b", "b", lambda: render_template_string(template, body=body))
    if fault is None:
        assert body in client.get("/b").text
        return
    with pytest.raises(ValueError, match=f'"statistics" has a .* {fault}'):
        client.get("/b")

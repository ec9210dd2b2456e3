"""Pages of different marks never meet in one document: what HTMX and Turbo are told, by which requests (§8)."""

from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from consent import Consent
from consent.decision import Mark
from consent.web.navigation import MARKED, OUT_OF_FRAME, Seen, full_load, head, own_address

from .clinic import PAGE, site_in

SENSITIVE, FIRST_PARTY = Mark.SENSITIVE, Mark.FIRST_PARTY
HOST = "http://localhost"


def clinic(folder: Path) -> Flask:
    """A site with pages of each mark."""
    consent = Consent()
    app = site_in(folder, consent=consent, TESTING=True)

    def page(**_: str) -> str:
        return render_template_string(PAGE)

    app.add_url_rule("/", "home", page)
    app.add_url_rule("/search", "search", page, methods=["POST"])
    app.add_url_rule("/data", "data", lambda: {"a": "b"})
    app.add_url_rule("/cached", "cached", lambda: (page(), {"ETag": '"1"'}))
    app.add_url_rule("/plain", "plain", lambda: "plain")
    app.add_url_rule("/kept", "kept", lambda: ("plain", {"Cache-Control": "max-age=600"}))
    app.add_url_rule("/portal", "portal", consent.sensitive(lambda: page()), methods=["GET", "POST"])
    app.add_url_rule("/denied", "denied", consent.sensitive(lambda: (page(), 403)))
    app.add_url_rule("/record", "record", consent.sensitive(lambda: {"a": "b"}))
    app.add_url_rule("/topics/<slug>", "topic", consent.first_party(lambda slug: page()))
    return app


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A browser at that site."""
    return clinic(tmp_path).test_client()


def boosted(client: FlaskClient, path: str, before: str | None, **headers: str) -> TestResponse:
    """What HTMX gets that asks for *path* in a document at *before*."""
    sent = {"HX-Request": "true", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if before is not None:
        sent["HX-Current-URL"] = before
    return client.get(path, headers=sent)


SAME = [
    ("/", f"{HOST}/"),
    ("/", f"{HOST}/?a=b#c"),
    ("/plain", f"{HOST}/search"),
    ("/portal", f"{HOST}/portal"),
    ("/portal", f"{HOST}/denied?x"),
    ("/record", f"{HOST}/portal"),
    ("/topics/a", f"{HOST}/topics/b%C3%A4"),
    ("/plain", "https://behind-a-proxy.example/"),
]
OTHER = [
    ("/portal", f"{HOST}/"),
    ("/record", f"{HOST}/"),
    ("/portal", f"{HOST}/topics/a"),
    ("/topics/a", f"{HOST}/portal"),
    ("/topics/a", f"{HOST}/plain"),
    ("/", f"{HOST}/portal"),
    ("/plain?q=1&r=%C3%A4", f"{HOST}/topics/a"),
    ("/nowhere", f"{HOST}/portal"),
    ("/denied", f"{HOST}/"),
]
UNREADABLE = [
    None,
    "",
    "portal",
    "http://[",
    f"{HOST}/nowhere",
    f"{HOST}/%ff",
    "javascript:1",
    "/" + "a" * 5000,
]


@pytest.mark.parametrize(("path", "before"), SAME)
def test_htmx_stays_in_a_document_of_the_same_mark(client: FlaskClient, path: str, before: str) -> None:
    assert "HX-Redirect" not in boosted(client, path, before).headers


@pytest.mark.parametrize(("path", "before"), OTHER)
def test_htmx_leaves_a_document_of_another_mark(client: FlaskClient, path: str, before: str) -> None:
    response = boosted(client, path, before)
    assert response.headers["HX-Redirect"] == path
    assert response.data == client.get(path).data
    for name in ("HX-Request", "HX-Current-URL"):
        assert name in response.headers["Vary"]


@pytest.mark.parametrize("before", UNREADABLE)
@pytest.mark.parametrize("path", ["/portal", "/plain"])
def test_a_document_that_cannot_be_known_counts_as_another(
    client: FlaskClient, path: str, before: str | None
) -> None:
    assert boosted(client, path, before).headers["HX-Redirect"] == path


def test_a_document_of_another_origin_counts_as_another(client: FlaskClient) -> None:
    away = boosted(client, "/plain", f"{HOST}/", Sec_Fetch_Site="cross-site")
    assert away.headers["HX-Redirect"] == "/plain"
    own = boosted(client, "/plain", f"{HOST}/", Sec_Fetch_Site="same-origin")
    assert "HX-Redirect" not in own.headers


def test_history_that_is_restored_tells_nothing_of_its_document(client: FlaskClient) -> None:
    restored = {"HX_History_Restore_Request": "true"}
    assert boosted(client, "/portal", f"{HOST}/portal", **restored).headers["HX-Redirect"] == "/portal"
    assert "HX-Redirect" not in boosted(client, "/plain", f"{HOST}/plain", **restored).headers


def test_a_plain_request_a_form_and_what_is_no_page_are_left_alone(client: FlaskClient) -> None:
    assert "HX-Redirect" not in client.get("/portal").headers
    assert "HX-Redirect" not in boosted(client, "/data", f"{HOST}/portal").headers
    sent = {"HX-Request": "true", "HX-Current-URL": f"{HOST}/"}
    assert "HX-Redirect" not in client.post("/portal", headers=sent).headers
    assert "HX-Redirect" not in client.get("/portal", headers={**sent, "HX-Request": "false"}).headers


@pytest.mark.parametrize(
    ("path", "varies"),
    [
        ("/", False),
        ("/plain", False),
        ("/data", False),
        ("/kept", True),
        ("/cached", True),
        ("/portal", True),
    ],
)
def test_a_page_that_a_cache_may_keep_says_what_it_depends_on(
    client: FlaskClient, path: str, varies: bool
) -> None:
    assert ("HX-Request" in ", ".join(client.get(path).headers.getlist("Vary"))) is varies


def test_a_site_without_marks_is_left_alone(tmp_path: Path) -> None:
    app = clinic(tmp_path)
    for name in ("portal", "denied", "record", "topic"):
        app.view_functions[name] = app.view_functions["plain"]
    response = boosted(app.test_client(), "/kept", None, Turbo_Frame="part")
    assert "Vary" not in response.headers
    assert "HX-Redirect" not in response.headers
    assert "turbo" not in app.test_client().get("/").text.partition("</head>")[0]


def test_below_a_mount_the_address_and_the_document_are_read_with_it(tmp_path: Path) -> None:
    mount = "/m%C3%BCnze"
    app = clinic(tmp_path)
    client = Client(DispatcherMiddleware(Flask("other"), {"/münze".encode().decode("latin-1"): app}))

    def asked(path: str, before: str) -> str | None:
        sent = {"HX-Request": "true", "HX-Current-URL": HOST + before}
        return client.get(mount + path, headers=sent).headers.get("HX-Redirect")

    assert asked("/portal", f"{mount}/portal") is None
    assert asked("/portal", f"{mount}/") == f"{mount}/portal"
    assert asked("/portal", "/portal") == f"{mount}/portal"
    assert asked("/plain", "/") == f"{mount}/plain"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH_INFO": "/a b", "QUERY_STRING": "c=d%20e"}, "/a%20b?c=d%20e"),
        ({"PATH_INFO": "/a", "QUERY_STRING": "b=\\c\x80"}, "/a?b=%5Cc%80"),
        ({"PATH_INFO": "//evil.example/"}, "/"),
        ({"PATH_INFO": "//evil.example/", "SCRIPT_NAME": "/app"}, "/app//evil.example/"),
        ({"PATH_INFO": "/\r\nSet-Cookie: a=b"}, "/%0D%0ASet-Cookie:%20a=b"),
        ({}, "/"),
    ],
)
def test_the_address_is_a_path_of_the_site_whatever_was_asked_for(
    environ: dict[str, str], expected: str
) -> None:
    assert own_address(environ) == expected


def test_turbo_is_told_by_the_head_of_a_marked_page_and_of_ours(client: FlaskClient) -> None:
    for path in ("/portal", "/topics/a", "/denied", "/privacy-choices"):
        top, _, _ = client.get(path).text.partition("</head>")
        assert top.count(str(MARKED)) == 1
    for path in ("/", "/cached"):
        top, _, _ = client.get(path).text.partition("</head>")
        assert "turbo" not in top


@pytest.mark.parametrize("mark", [SENSITIVE, FIRST_PARTY, None])
@pytest.mark.parametrize("before", [SENSITIVE, FIRST_PARTY, None, "unknown"])
def test_a_frame_gets_a_page_only_from_one_unmarked_document_to_another(
    mark: Mark | None, before: Seen
) -> None:
    found = head({"HTTP_TURBO_FRAME": "part", "HTTP_REFERER": "x"}, mark, lambda url: before)
    assert ("visit-control" not in found) is (mark is None and before is None)
    assert (found == OUT_OF_FRAME) is (mark is None and before is not None)


def test_a_frame_in_a_document_without_a_referer_leaves_it(client: FlaskClient) -> None:
    frame = {"Turbo-Frame": "part"}
    assert OUT_OF_FRAME in client.get("/", headers=frame).text
    assert OUT_OF_FRAME in client.get("/", headers={**frame, "Referer": f"{HOST}/portal"}).text
    stays = client.get("/", headers={**frame, "Referer": f"{HOST}/plain"})
    assert OUT_OF_FRAME not in stays.text
    assert "Turbo-Frame" in stays.headers["Vary"]


@pytest.mark.parametrize("mark", [SENSITIVE, FIRST_PARTY, None])
@pytest.mark.parametrize("before", [SENSITIVE, FIRST_PARTY, None, "unknown"])
def test_turbo_reads_no_error_page_into_a_document_of_another_mark(mark: Mark | None, before: Seen) -> None:
    def sent(status: int, **more: str) -> dict[str, str]:
        environ = {"REQUEST_METHOD": "GET", "HTTP_X_TURBO_REQUEST_ID": "1", **more}
        return full_load(environ, mark, status, lambda url: before)

    stays = mark is None and before is None
    assert sent(404) == ({} if stays else {"Content-Type": "text/plain; charset=utf-8"})
    assert sent(200) == {}
    assert sent(404, HTTP_TURBO_FRAME="part") == sent(404)
    assert sent(422, REQUEST_METHOD="POST") == {}


def test_an_error_page_that_turbo_asks_for_is_no_page_to_it(client: FlaskClient) -> None:
    turbo = {"X-Turbo-Request-Id": "1", "Referer": f"{HOST}/"}
    denied = client.get("/denied", headers=turbo)
    assert denied.headers.getlist("Content-Type") == ["text/plain; charset=utf-8"]
    assert "X-Turbo-Request-Id" in denied.headers["Vary"]
    assert client.get("/nowhere", headers=turbo).content_type.startswith("text/html")
    assert client.get("/nowhere", headers={"X-Turbo-Request-Id": "1"}).content_type.startswith("text/plain")
    assert client.get("/denied").content_type.startswith("text/html")


def test_marks_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = clinic(tmp_path)
    site = app.extensions["consent"]
    assert site.marks_any()
    monkeypatch.setattr(app, "view_functions", {})
    assert site.marks_any()

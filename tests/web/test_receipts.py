"""Receipts: for whom one is made, what it says, and what one that comes back is worth."""

import html
import json
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent.errors import SigningRefused
from consent.ledger import Entry, Kind, Leaf, Outcome, Receipt, check_receipt, commitment, leaf_hash
from consent.ledger.keys import announcement, ending, farewell, voucher
from consent.ledger.note import Note, Signer, decoded, encoded, sign
from consent.storage import OwnStorage
from consent.web.checking import LARGEST
from consent.web.receipts import VALID
from consent.web.recorder import moment
from consent.web.signing import serializer
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, locked

MINE = "/privacy-choices/mine"
RECEIPTS = "/privacy-choices/receipts"


def link_of(visitor: Visitor, choice: str, **fields: str) -> str:
    """The address of the receipt that the centre offers after this answer."""
    response = visitor.answer(choice, SAME, **{"from_": "centre", **fields})
    page = visitor.client.get(response.headers["Location"]).text
    found = re.search(rf'href="({RECEIPTS}/[^"]+)"', page)
    assert found, "the centre offers no receipt"
    return html.unescape(found[1])


def file_at(client: FlaskClient, address: str) -> TestResponse:
    """The receipt at *address* as a file."""
    return client.get(urlsplit(address).path, query_string={**query(address), "file": "yes"})


def query(address: str) -> dict[str, str]:
    """The fields that *address* carries."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def taken(visitor: Visitor) -> str:
    """A receipt of the visitor's own Yes."""
    return file_at(visitor.client, link_of(visitor, "all")).text


def pasted(client: FlaskClient, text: str, headers: dict[str, str] = SAME) -> TestResponse:
    """What comes of *text* in the form, whose line ends browsers send as CRLF."""
    return client.post(MINE, data={"receipt": text.replace("\n", "\r\n")}, headers=headers)


def worth(client: FlaskClient, text: str) -> str:
    """What *text* is worth, as JSON says it."""
    response = client.post(MINE, json={"receipt": text}, headers={**SAME, "Accept": "application/json"})
    assert response.json is not None
    return str(response.json["outcome"])


def valid(site: Site, text: str) -> bool:
    """Whether *text* is a receipt of this log."""
    ledger = site.recorder.ledger
    return check_receipt(Receipt.parse(text), ledger.verifier_keys(), ledger.origin) is Outcome.VALID


# -- a receipt is given


@pytest.mark.requirement("REC-07")
@pytest.mark.parametrize(
    ("choice", "kind"), [("all", Kind.GIVEN), ("none", Kind.REFUSED), ("some", Kind.GIVEN)]
)
def test_each_answer_from_the_centre_leads_to_a_receipt_that_holds(
    visitor: Visitor, site: Site, choice: str, kind: Kind
) -> None:
    address = link_of(visitor, choice, category__media="yes")
    text = file_at(visitor.client, address).text
    assert valid(site, text)
    [event] = events(site)
    assert Receipt.parse(text).event() == event
    assert event.kind is kind


def test_a_receipt_and_the_history_name_services_in_the_order_of_the_policy(
    visitor: Visitor, site: Site
) -> None:
    address = link_of(visitor, "all")
    keys = [each.key for each in site.policy.optional_services]
    assert keys == ["names", "statistics", "experiment", "videos"]
    for page in (address, "/privacy-choices/mine"):
        text = html.unescape(visitor.client.get(page).text)
        assert re.search(r"On: [^,.]+, Statistics, New features, Videos\.", text)


@pytest.mark.requirement("REC-07")
def test_a_withdrawal_has_one_too_though_no_cookie_leads_to_it(visitor: Visitor, site: Site) -> None:
    visitor.answer("all")
    address = link_of(visitor, "none", from_="mine")
    said = Receipt.parse(file_at(visitor.client, address).text).event()
    assert said is not None
    assert said.kind is Kind.WITHDRAWN
    assert visitor.client.get(address.partition("?")[0]).status_code == 404


def test_the_file_is_one_to_keep_and_nobody_else_keeps_it(visitor: Visitor) -> None:
    address = link_of(visitor, "all")
    for response in (visitor.client.get(address), file_at(visitor.client, address)):
        assert response.headers["Cache-Control"].startswith("no-store")
        assert response.headers["X-Robots-Tag"] == "noindex"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in response.headers
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="consent-2026-11-18.tlog-proof"'


@pytest.mark.requirement("REC-07")
def test_the_page_says_what_it_proves_and_how_to_check_it(visitor: Visitor, site: Site) -> None:
    response = visitor.client.get(link_of(visitor, "some", category__media="yes"))
    page = html.unescape(response.text)
    assert "On: Videos." in page
    assert "What it proves" in page
    assert "What it does not prove" in page
    [key] = site.recorder.ledger.verifier_keys()
    assert f"python verify.py consent-2026-11-18.tlog-proof --key '{key}'" in page
    text = re.search(r"<pre[^>]*>(c2sp.*?)</pre>", page, re.DOTALL)
    assert text
    assert valid(site, text[1])
    assert "<script" not in page
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")


@pytest.mark.requirement("REC-07")
def test_my_consent_has_one_for_each_event_as_long_as_a_grant_stands(visitor: Visitor, site: Site) -> None:
    visitor.answer("all")
    visitor.answer("some", category__media="yes")
    addresses = re.findall(rf'href="({RECEIPTS}/[^"]+)"', visitor.client.get(MINE).text)
    assert [address.rpartition("/")[2] for address in addresses] == [
        str(each.id) for each in reversed(events(site))
    ]
    for address in addresses:
        assert valid(site, file_at(visitor.client, address).text)


def test_json_has_the_link_wherever_the_answer_came_from(visitor: Visitor, site: Site) -> None:
    answer = visitor.answer("none", {**SAME, "Accept": "application/json"}).json
    assert answer is not None
    assert valid(site, file_at(visitor.client, answer["receipt"]).text)


def test_who_repeats_an_answer_gets_the_receipt_of_the_one_that_is_on_record(
    visitor: Visitor, site: Site, clock: Clock
) -> None:
    visitor.answer("all")
    clock.now += 20
    said = Receipt.parse(file_at(visitor.client, link_of(visitor, "all")).text).event()
    assert [said] == events(site)


def test_of_what_is_not_put_on_record_no_receipt_is_offered(make_app: MakeSite) -> None:
    child = Visitor(make_app(CONSENT_MINOR=lambda: True).test_client())
    response = child.answer("none", from_="centre")
    assert "receipt" not in response.headers["Location"]
    assert RECEIPTS not in child.client.get(response.headers["Location"]).text


def test_below_a_mount_point_the_links_lead_there(make_app: MakeSite) -> None:
    client = make_app().test_client()
    answer = client.post(
        "/privacy-choices",
        base_url="http://localhost/shop",
        data={"choice": "none"},
        headers={"Accept": "application/json"},
    ).json
    assert answer is not None
    assert answer["receipt"].startswith(f"/shop{RECEIPTS}/")


# -- to nobody else


@pytest.mark.requirement("LOG-08")
def test_the_cookie_of_another_visitor_opens_nothing(visitor: Visitor, app: Flask, site: Site) -> None:
    visitor.answer("all")
    [event] = events(site)
    other = Visitor(app.test_client())
    other.answer("some", category__media="yes")
    for client in (other.client, app.test_client()):
        assert client.get(f"{RECEIPTS}/{event.id}").status_code == 404
    assert visitor.client.get(f"{RECEIPTS}/{event.id}").status_code == 200


@pytest.mark.requirement("LOG-08")
def test_the_answer_to_who_has_no_right_to_it_is_the_same_whether_it_exists(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.answer("all")
    other = Visitor(app.test_client())
    other.answer("some", category__media="yes")
    [mine, _] = events(site)
    for client in (other.client, app.test_client()):
        seen = {
            (response.status_code, response.text, tuple(response.headers))
            for id in (mine.id, uuid.uuid4(), str(mine.id).upper(), "x", "x" * 5000)
            for response in [client.get(f"{RECEIPTS}/{id}?link=x")]
        }
        assert len(seen) == 1
        assert seen.pop()[0] == 404


def test_a_link_ends_after_ten_minutes(visitor: Visitor, clock: Clock) -> None:
    location = visitor.answer("none", from_="centre").headers["Location"]
    address = link_of(visitor, "none")
    clock.now += VALID
    assert visitor.client.get(address).status_code == 200
    clock.now += 1
    ended = visitor.client.get(address, headers={"Accept-Language": "en"})
    assert ended.status_code == 404
    assert "There is no such page" in ended.text
    assert 'href="/privacy-choices"' in ended.text
    assert RECEIPTS not in visitor.client.get(location).text
    assert VALID == 600


def test_a_link_opens_its_own_receipt_only_and_none_that_was_made_up(
    visitor: Visitor, app: Flask, site: Site, make_app: MakeSite
) -> None:
    first, second = link_of(visitor, "none"), link_of(visitor, "none")
    one, other = (urlsplit(address).path for address in (first, second))
    link = query(first)["link"]
    client = app.test_client()
    assert client.get(one, query_string={"link": link}).status_code == 200
    assert client.get(other, query_string={"link": link}).status_code == 404
    for forged in (link[:-1], f"{link}A", link.swapcase(), link.split(".")[0], "", "."):
        assert client.get(one, query_string={"link": forged}).status_code == 404
    elsewhere = make_app(SECRET_KEY="another key for tests").test_client()
    assert elsewhere.get(one, query_string={"link": link}).status_code == 404


def test_a_value_signed_for_something_else_opens_nothing(visitor: Visitor, app: Flask, site: Site) -> None:
    visitor.answer("none")
    [event] = events(site)
    for purpose in ("opt_in.2", "erase.1", "receipt.2"):
        link = str(serializer(site, purpose).dumps(str(event.id)))
        assert app.test_client().get(f"{RECEIPTS}/{event.id}", query_string={"link": link}).status_code == 404


def test_the_address_that_holds_a_link_is_told_to_no_other_page(visitor: Visitor) -> None:
    location = visitor.answer("none", from_="centre").headers["Location"]
    assert visitor.client.get(location).headers["Referrer-Policy"] == "strict-origin"
    assert visitor.client.get("/privacy-choices").headers["Referrer-Policy"] == "same-origin"


# -- when there is none yet


def test_what_is_not_recorded_yet_has_none_and_the_page_says_so(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.notice()
    with locked(app):
        address = link_of(visitor, "none")
        for way in (visitor.client.get(address), file_at(visitor.client, address)):
            assert way.status_code in (202, 503)
            assert "Your answer holds" in way.text
            assert way.headers["Retry-After"].isdecimal()
            assert "Content-Disposition" not in way.headers
        assert urlsplit(link_of(visitor, "none")).path == urlsplit(address).path, "nothing new was said"
    site.late_at = 0  # it is tried again at once
    visitor.client.get("/")
    assert valid(site, file_at(visitor.client, address).text)


def test_trying_again_leads_back_below_the_sites_mount_point(visitor: Visitor, app: Flask) -> None:
    visitor.notice()
    with locked(app):
        address = link_of(visitor, "none")
        html = visitor.client.get(address, base_url="http://localhost/clinic/").text
    assert f'href="/clinic{address.replace("&", "&amp;")}"' in html


def test_what_is_not_sealed_yet_has_none_and_the_page_says_so(
    visitor: Visitor, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = link_of(visitor, "all")
    # As on a server, where whoever has the key signs in time.
    monkeypatch.setattr(site.recorder.ledger.storage, "desk", None)
    page = visitor.client.get(address)
    assert page.status_code == 202
    assert "not sealed in our log yet" in page.text
    assert html.escape(address.partition("?")[2]) in page.text


def test_a_tree_that_may_not_be_signed_costs_the_receipt_and_no_answer(
    visitor: Visitor, app: Flask, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = link_of(visitor, "all")
    guard = next(Path(app.instance_path).glob("*.guard"))
    guard.unlink()
    with pytest.raises(SigningRefused):
        site.recorder.ledger.sign()
    page = visitor.client.get(address)
    assert page.status_code == 503
    assert "We cannot make the receipt at the moment." in page.text
    assert visitor.answer("none", from_="mine").status_code == 303
    assert not visitor.allowed("statistics")
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.WITHDRAWN]


def test_who_waits_for_receipts_keeps_nobody_from_answering(visitor: Visitor, site: Site) -> None:
    address = link_of(visitor, "all")
    with site.recorder.proving():
        assert visitor.answer("none").status_code == 303
        assert visitor.client.get(address).status_code == 503
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.WITHDRAWN]
    assert visitor.client.get(address).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        "CAST(replace(CAST(body AS TEXT), 'statistics', 'nothing_00') AS BLOB)",
        "replace(CAST(body AS TEXT), 'statistics', 'nothing_00')",
        "x'00'",
    ],
)
def test_a_record_that_was_changed_gets_no_receipt(
    visitor: Visitor, app: Flask, site: Site, changed: str
) -> None:
    address = link_of(visitor, "all")
    [event] = events(site)
    with altered(app) as database:
        database.execute(f"UPDATE opening SET body = {changed}")
    page = visitor.client.get(address)
    assert page.status_code == 503
    assert "c2sp.org/tlog-proof@v1" not in page.text
    assert event.granted


@contextmanager
def altered(app: Flask) -> Iterator[sqlite3.Connection]:
    """The database, without what keeps it from being changed."""
    database = sqlite3.connect(Path(app.instance_path) / "consent.sqlite3")
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f'DROP TRIGGER "{name}"')
    with database:
        yield database
    database.close()


def test_of_what_was_erased_it_says_only_that_it_happened(visitor: Visitor, app: Flask) -> None:
    stranger = app.test_client()
    address = link_of(visitor, "some", category__media="yes")
    kept = file_at(visitor.client, address).text
    with altered(app) as database:
        database.execute("DELETE FROM opening")
    page = visitor.client.get(address).text
    assert "What it said was erased." in page
    assert "On: Videos." not in page
    now = file_at(visitor.client, address).text
    assert "On: Videos." not in pasted(stranger, now).text
    assert worth(stranger, now) == worth(stranger, kept) == "valid"
    assert "On: Videos." in pasted(stranger, kept).text


# -- one comes back


@pytest.mark.requirement("REC-07")
def test_a_pasted_receipt_that_is_valid_is_said_to_be_and_what_it_says(visitor: Visitor, app: Flask) -> None:
    text = file_at(visitor.client, link_of(visitor, "some", category__media="yes")).text
    stranger = app.test_client()
    for sent in (text, f"\n {text}\n\n", text.rstrip("\n")):
        response = pasted(stranger, sent)
        assert response.status_code == 200
        assert "This receipt is valid." in response.text
        assert "On: Videos." in response.text
        assert response.text.count('<time datetime="2026-11-18T') == 1
        assert ">c2sp" not in response.text
    assert RECEIPTS not in response.text
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.requirement("REC-07")
def test_json_says_the_same(visitor: Visitor, site: Site) -> None:
    text = taken(visitor)
    response = visitor.client.post(
        MINE, json={"receipt": text}, headers={**SAME, "Accept": "application/json"}
    )
    [event] = events(site)
    assert response.json == {
        "ok": True,
        "outcome": "valid",
        "message": "This receipt is valid. It says:",
        "kept": True,
        "event": {
            "id": str(event.id),
            "kind": "given",
            "time": "2026-11-18T11:06:40Z",
            "granted": [*event.granted],
            "refused": [],
        },
    }


@pytest.mark.requirement("REC-07")
def test_of_a_valid_one_whose_event_is_lost_that_is_said_and_the_site_hears_of_it(
    visitor: Visitor, app: Flask, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    storage, folder = site.recorder.ledger.storage, Path(app.instance_path)
    assert isinstance(storage, OwnStorage)
    Visitor(app.test_client()).answer("none")
    storage.close()
    shutil.copy(folder / "consent.sqlite3", older := folder / "older.sqlite3")
    text = taken(visitor)
    assert "The log no longer keeps this event." not in pasted(visitor.client, text).text
    storage.close()
    for file in folder.glob("consent.sqlite3*"):
        file.unlink()
    older.rename(folder / "consent.sqlite3")
    response = pasted(app.test_client(), text)
    assert response.status_code == 200
    assert "This receipt is valid." in response.text
    assert "The log no longer keeps this event. The receipt proves it by itself." in response.text
    assert "was recorded as entry 3, and the log doesn't hold it" in caplog.text


@pytest.mark.requirement("REC-07")
def test_a_receipt_with_any_part_changed_is_not_valid(visitor: Visitor) -> None:
    text = taken(visitor)
    assert worth(visitor.client, text) == "valid"
    lines = text.rstrip("\n").split("\n")
    outcomes = set()
    for number, line in enumerate(lines):
        for place in {0, len(line) // 2, len(line) - 1} if line else ():
            for bit in (1, 4):
                changed = chr(ord(line[place]) ^ bit)
                lines[number] = line[:place] + changed + line[place + 1 :]
                outcomes.add(worth(visitor.client, "\n".join(lines)))
        lines[number] = line
        outcomes.add(worth(visitor.client, "\n".join(lines[:number])))
    assert outcomes == {"altered", "not_ours"}


@pytest.mark.requirement("REC-07")
def test_one_with_the_answers_exchanged_is_altered(visitor: Visitor) -> None:
    yes, no = (Receipt.parse(file_at(visitor.client, link_of(visitor, c)).text) for c in ("all", "none"))
    mixed = Receipt(
        index=yes.index,
        proof=yes.proof,
        note=yes.note,
        leaf=yes.leaf,
        salt=no.salt,
        opening=no.opening,
    )
    response = pasted(visitor.client, mixed.to_text())
    assert "Something in it was changed or is missing." in response.text
    assert "It says" not in response.text
    assert html.escape(mixed.to_text().split("\n")[1]) in response.text, "what was pasted is kept"


@pytest.mark.requirement("REC-07")
def test_the_receipt_of_another_log_is_not_ours(visitor: Visitor, make_app: MakeSite, tmp_path: Path) -> None:
    text = taken(visitor)
    other = make_app(CONSENT_DATABASE=f"sqlite:///{tmp_path / 'other' / 'log.sqlite3'}")
    (tmp_path / "other").mkdir()
    client = other.test_client()
    Visitor(client).answer("none")
    assert "This receipt is not ours." in pasted(client, text).text
    renamed = make_app(
        CONSENT_DATABASE=f"sqlite:///{tmp_path / 'other' / 'named.sqlite3'}", CONSENT_SITE="https://b.example"
    ).test_client()
    renamed.post("/privacy-choices", data={"choice": "none"})
    assert worth(renamed, text) == "not_ours"


def test_one_that_anybody_signed_is_not_ours(visitor: Visitor) -> None:
    receipt = Receipt.parse(taken(visitor))
    signer = Signer.of("localhost/privacy-choices", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    forged = sign(Note.parse(receipt.note).text, signer)
    text = Receipt(
        index=receipt.index,
        proof=receipt.proof,
        note=forged,
        leaf=receipt.leaf,
        salt=receipt.salt,
        opening=receipt.opening,
    ).to_text()
    assert worth(visitor.client, text) == "not_ours"


def test_a_receipt_outlives_the_key_that_signed_it_but_not_its_revocation(
    visitor: Visitor, site: Site, clock: Clock
) -> None:
    text = taken(visitor)
    ledger, time, salt = site.recorder.ledger, moment(clock()), bytes(32)
    desk = ledger.storage.desk
    assert desk is not None
    [old] = desk.signers()
    new = Signer.of(ledger.origin, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    vouched = voucher(new.key, ledger.origin, [old, new])
    event = announcement(new.key, vouched, origin=ledger.origin, time=time)
    ledger.record(event, salt=salt, documents=[vouched])
    assert worth(visitor.client, text) == "valid"
    for revoked, expected in ((False, "valid"), (True, "not_ours")):
        said = farewell(old.key, ledger.origin, [old, new], revoked=revoked)
        event = ending(old.key, said, revoked=revoked, origin=ledger.origin, time=time)
        ledger.record(event, salt=salt, documents=[said])
        assert worth(visitor.client, text) == expected


@pytest.mark.parametrize(
    ("members", "body"),
    [
        ({}, b"[]"),
        ({}, b"\xff"),
        ({}, b"[" * 50_000),
        ({}, b'{"granted":[1],"refused":{},"time":[1]}'),
        ({"kind": "unheard_of"}, b"{}"),
    ],
)
def test_of_a_valid_receipt_that_says_nothing_known_only_kind_and_hour_are_told(
    visitor: Visitor, site: Site, members: dict[str, Any], body: bytes
) -> None:
    visitor.answer("none")
    ledger, salt = site.recorder.ledger, bytes(32)
    leaf = replace(
        Leaf.from_bytes(ledger.newest(limit=1)[0].leaf),
        **{"id": uuid.uuid4(), "commitment": commitment(salt, body), **members},
    ).to_bytes()
    entry = Entry(
        id=Leaf.from_bytes(leaf).id, leaf=leaf, leaf_hash=leaf_hash(leaf), subject=None, salt=salt, body=body
    )
    ledger.storage.append(entry, documents=(), repeats=None, patience=2)
    receipt = ledger.receipt(entry.id)
    assert receipt is not None
    response = pasted(visitor.client, receipt.to_text())
    assert response.status_code == 200
    assert "What it said was erased" not in response.text
    assert worth(visitor.client, receipt.to_text()) == "valid"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "\0\x1b[2J\x07",
        "<script>alert(1)</script></textarea><b>",
        "c2sp.org/tlog-proof@v1\n" + "extra AAAA\n" * 5000,
        "c2sp.org/tlog-proof@v1\nextra " + "W" * 500_000 + "\nindex 1\n\nlocalhost/privacy-choices\n2\n",
        "a" * 1_000_000,
    ],
)
def test_what_is_no_receipt_is_said_to_be_none_and_kept_as_text(visitor: Visitor, text: str) -> None:
    visitor.answer("none")
    response = pasted(visitor.client, text)
    assert response.status_code == 200
    assert "This is no receipt as we gave it out." in response.text
    assert "<script>alert" not in response.text
    assert str(html.escape(text[:100], quote=False)) in response.text.replace("\r\n", "\n")


@pytest.mark.requirement("REC-07")
@pytest.mark.parametrize("evil", ["<img src=x onerror=alert(1)>", "\x1b]0;owned\x07", "‮gpj.exe"])
def test_what_was_written_into_extra_is_never_shown(visitor: Visitor, evil: str) -> None:
    lines = taken(visitor).split("\n")
    members = json.loads(decoded(lines[1].removeprefix("extra ")))
    for changed in ({**members, "note": evil}, {**members, "opening": encoded(evil.encode())}):
        extra = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        lines[1] = f"extra {encoded(extra)}"
        response = pasted(visitor.client, "\n".join(lines))
        assert "Something in it was changed" in response.text
        assert evil not in response.text


def test_more_than_any_receipt_is_not_read(visitor: Visitor) -> None:
    response = pasted(visitor.client, "a" * LARGEST)
    assert response.status_code == 413
    assert "This cannot be a receipt" in response.text
    assert visitor.client.post(MINE, data=b"\xff", headers=SAME).status_code == 400
    unread = visitor.client.post(
        MINE, data=b"receipt=%ff", content_type="application/x-www-form-urlencoded", headers=SAME
    )
    assert unread.status_code == 400


@pytest.mark.parametrize("sender", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_other_sites_cannot_have_a_receipt_checked(visitor: Visitor, sender: dict[str, str]) -> None:
    response = pasted(visitor.client, taken(visitor), sender)
    assert response.status_code == 403
    assert "valid" not in response.text


def test_when_the_log_cannot_be_read_the_page_says_so_and_keeps_what_was_pasted(
    visitor: Visitor, site: Site
) -> None:
    text = taken(visitor)
    with site.recorder.proving():
        response = pasted(visitor.client, text)
    assert response.status_code == 503
    assert response.headers["Retry-After"].isdecimal()
    assert "We cannot check receipts at the moment." in response.text
    assert html.escape(text.split("\n")[1]) in response.text


def test_checking_changes_nothing(visitor: Visitor, site: Site) -> None:
    text = taken(visitor)
    held, size = visitor.cookie(), site.recorder.ledger.size()
    assert "Set-Cookie" not in pasted(visitor.client, text).headers
    assert (visitor.cookie(), site.recorder.ledger.size()) == (held, size)


@pytest.mark.requirement("UI-02")
@pytest.mark.parametrize(
    ("language", "words"), [("de", "Dieser Beleg ist gültig."), ("ar", "هذا الإيصال صالح.")]
)
def test_all_of_it_is_said_in_the_visitors_language(make_app: MakeSite, language: str, words: str) -> None:
    visitor = Visitor(make_app(POLICY.replace('language = "en"', f'language = "{language}"')).test_client())
    address = link_of(visitor, "all")
    page = visitor.client.get(address).text
    assert f'lang="{language}"' in page
    assert words in pasted(visitor.client, file_at(visitor.client, address).text).text

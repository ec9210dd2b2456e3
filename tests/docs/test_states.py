"""docs/states.html shows every state as the templates make it today; docs/screenshots.md lists every picture."""

import html
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from states.pictures import IMAGES, names
from states.sheet import PAGE, document, made
from states.visits import State

ROOT = Path(__file__).parent.parent.parent
#: The catalogue's texts that stand in no state, each with where else it can be met.
ELSEWHERE = {
    "an auditor's desk or a receipt of such an event": """kind.accessed kind.erased kind.expired kind.given_once
        kind.imported kind.invalidated kind.operated kind.pruned kind.refused kind.signal_opt_out kind.withdrawn
        source.mine source.navigator source.signal""",
    "sites that declare such a thing": """reason.empty reason.page storage.cache storage.indexeddb storage.local
        uses.email_beacon uses.fingerprint uses.precise_location span.week""",
    "after retention or pruning": "check.gone mine.empty",
    "a language in which the policy says no change": "again.changed",
    "answers to scripts": "opt_in.names",
    "sensitive pages": "reason.always reason.once",
    "sites where no service needs a Yes of its own": "status.accepted",
}
#: What the policies say by code: their own lists are in docs/policy.md.
CODES = ("purpose.", "data.", "country.")


@pytest.fixture(scope="module")
def written() -> str:
    """The page as it was committed."""
    return PAGE.read_text(encoding="utf-8")


def test_the_page_is_as_the_command_makes_it_today(written: str) -> None:
    assert written == made(), "run: python3 dev.py states"


@pytest.mark.parametrize("packed", ["", "."])
def test_a_signed_value_is_the_same_whether_chance_had_it_packed_or_not(packed: str) -> None:
    signed = f"{packed}{'a' * 40}.{'b' * 6}.{'c' * 43}"
    found = f'<a href="/privacy-choices?receipt={signed}"><input value="{signed}">'
    state = State("", "", found)
    assert document(state) == '<a href="/privacy-choices?receipt=signed"><input value="signed">'


def test_every_text_of_ours_is_seen_in_some_state(written: str) -> None:
    seen = html.unescape(html.unescape(html.unescape(written)))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", seen)) + seen
    with (ROOT / "consent/translations/en/LC_MESSAGES/consent.po").open("rb") as file:
        catalogue = read_po(file)
    unseen = set()
    for message in catalogue:
        key = message.id if isinstance(message.id, str) else message.id[0]
        text = message.string if isinstance(message.string, str) else (message.string or ("",))[0]
        parts = re.split(r"%\(\w+\)[sd]", html.unescape(text))
        if key and not key.startswith(CODES) and not all(part.strip() in words for part in parts):
            unseen.add(key)
    assert unseen == set(" ".join(ELSEWHERE.values()).split())


def test_every_picture_is_there_and_is_listed_with_what_was_seen() -> None:
    rows = re.findall(
        r"^\| !?\[([\w-]+)\]\(images/([\w-]+)\.png\) \| .{10,} \| .{2,} \|$",
        (ROOT / "docs/screenshots.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert all(name == file for name, file in rows)
    assert sorted(name for name, _ in rows) == sorted(names())
    kept = {file.stem: file for file in IMAGES.glob("*.png") if file.stem != "banner"}
    assert kept.keys() == set(names())
    assert sum(file.stat().st_size for file in kept.values()) < 4 * 2**20

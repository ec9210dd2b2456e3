"""docs/format.md says what is written: every example on it, computed again.

Once with nothing but the standard library, as an outsider would, and once by the package.
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.canonical import canonical
from consent.errors import LedgerError
from consent.ledger import (
    Checkpoint,
    Document,
    Event,
    Leaf,
    Outcome,
    Receipt,
    Sealed,
    auditor_link,
    check_receipt,
    commitment,
    leaf_hash,
    link,
    open_checkpoint,
    seen,
)
from consent.ledger.bundle import Bundle
from consent.ledger.event import Kind
from consent.ledger.keys import announcement, ending, farewell, voucher
from consent.ledger.merkle import Frontier, check_consistency, check_inclusion
from consent.ledger.note import Signer, sign, verifier_key
from consent.ledger.operation import opened, operated
from consent.ledger.pruning import Span, attested, pruning, require_attested, statement
from consent.ledger.tile import Tile, entry_bundle, tiles_of

from .memory import FullTiles, files_of

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
#: The fenced examples of the page, by the name after the language.
EXAMPLES = dict(re.findall(r"```\w+ (\S+)\n(.*?)\n```", PAGE, re.DOTALL))
ORIGIN = "clinic.example/privacy-choices"
SALT = bytes.fromhex(EXAMPLES["salt"])
SALT_0 = bytes(range(32, 64))
SIGNER = Signer.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(SALT))
HASH_0, HASH_1 = (hashlib.sha256(b"\x00" + EXAMPLES[name].encode()).digest() for name in ("entry-0", "leaf"))


def test_the_commitment_follows_from_salt_and_opening() -> None:
    message = b"consent/opening/v1\x00" + EXAMPLES["opening"].encode()
    code = hmac.new(SALT, message, hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(code).decode().rstrip("=") == EXAMPLES["commitment"]


def test_the_leaf_holds_the_commitment_and_its_hash_is_rfc_6962s() -> None:
    leaf = EXAMPLES["leaf"].encode()
    assert json.loads(leaf)["commitment"] == EXAMPLES["commitment"]
    assert hashlib.sha256(b"\x00" + leaf).hexdigest() == EXAMPLES["leaf-hash"]


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-03")
@pytest.mark.requirement("REC-04")
def test_the_package_reads_and_writes_the_example_event() -> None:
    event = Event.from_bytes(EXAMPLES["leaf"].encode(), EXAMPLES["opening"].encode())
    assert (event.kind, event.granted, event.refused) == (Kind.GIVEN, ("statistics",), ("videos",))
    assert event.time.isoformat() == "2026-11-21T18:04:05.123000+00:00"
    assert event.body().decode() == EXAMPLES["opening"]
    assert event.leaf(ORIGIN, SALT).decode() == EXAMPLES["leaf"]
    assert commitment(SALT, event.body()) == EXAMPLES["commitment"]
    assert leaf_hash(event.leaf(ORIGIN, SALT)).hex() == EXAMPLES["leaf-hash"]


@pytest.mark.requirement("LOG-06")
def test_the_leaf_says_nothing_of_a_person_and_no_time_finer_than_the_hour() -> None:
    leaf = json.loads(EXAMPLES["leaf"])
    assert leaf.keys() == {"commitment", "format", "hour", "id", "kind", "origin", "policy"}
    assert leaf["hour"] == "2026-11-21T18:00:00Z"


def test_a_document_is_named_by_the_hash_of_its_bytes() -> None:
    body = EXAMPLES["document"].encode()
    assert Document.of("notice", body).hash == EXAMPLES["document-hash"] == hashlib.sha256(body).hexdigest()


def test_entry_0_names_the_log_and_the_key_and_its_id_follows_from_both() -> None:
    private = Ed25519PrivateKey.from_private_bytes(SALT)
    key = verifier_key(ORIGIN, private.public_key())
    leaf = Leaf.from_bytes(EXAMPLES["entry-0"].encode())
    event = opened(key, origin=ORIGIN, time=leaf.hour)
    assert leaf.key == key
    assert event.body().decode() == EXAMPLES["opening-0"]
    assert event.leaf(ORIGIN, SALT_0).decode() == EXAMPLES["entry-0"]
    assert str(leaf.id) == str(derived("opened", ORIGIN, key))


def test_the_id_of_an_operated_event_follows_from_log_and_fingerprint() -> None:
    time = Leaf.from_bytes(EXAMPLES["leaf"].encode()).hour
    event = operated({"templates": "1c" * 32, "policy": "9f" * 32}, origin=ORIGIN, time=time)
    fingerprint = f'{{"policy":"{"9f" * 32}","templates":"{"1c" * 32}"}}'
    assert event.id == derived("operated", ORIGIN, hashlib.sha256(fingerprint.encode()).hexdigest())
    assert json.loads(event.body())["detail"] == {"fingerprint": json.loads(fingerprint)}


def test_an_account_is_linked_under_what_follows_from_the_logs_key() -> None:
    label = b"consent/account/v1"
    key = hmac.digest(hmac.digest(bytes(32), SALT, "sha256"), label + b"\x01", "sha256")  # HKDF by hand
    code = hmac.digest(key, label + b"\x00" + EXAMPLES["account"].encode(), "sha256")[:16]
    assert base64.urlsafe_b64encode(code).decode().rstrip("=") == EXAMPLES["account-link"]
    assert link(key, EXAMPLES["account"]) == EXAMPLES["account-link"]


def test_an_auditor_is_named_under_the_same_key_and_what_was_looked_up_under_its_own_salt() -> None:
    label = b"consent/account/v1"
    key = hmac.digest(hmac.digest(bytes(32), SALT, "sha256"), label + b"\x01", "sha256")
    code = hmac.digest(key, b"consent/auditor/v1\x00" + EXAMPLES["auditor"].encode(), "sha256")[:16]
    assert base64.urlsafe_b64encode(code).decode().rstrip("=") == EXAMPLES["auditor-link"]
    assert auditor_link(key, EXAMPLES["auditor"]) == EXAMPLES["auditor-link"]
    id = json.loads(EXAMPLES["leaf"])["id"]
    made = bytearray(hmac.digest(SALT, b"consent/seen/v1\x00" + id.encode(), "sha256")[:16])
    made[6], made[8] = made[6] & 0x0F | 0x80, made[8] & 0x3F | 0x80
    assert str(uuid.UUID(bytes=bytes(made))) == EXAMPLES["seen"]
    assert str(seen(SALT, uuid.UUID(id))) == EXAMPLES["seen"]


def test_the_guard_is_the_signed_checkpoint_of_a_log_with_entry_0_alone() -> None:
    leaf = EXAMPLES["entry-0"].encode()
    root = hashlib.sha256(b"\x00" + leaf).digest()
    assert EXAMPLES["guard"].startswith(f"{ORIGIN}\n1\n{base64.b64encode(root).decode()}\n\n")
    assert sign(Checkpoint(ORIGIN, 1, root).to_text(), SIGNER) == EXAMPLES["guard"] + "\n"
    assert open_checkpoint(EXAMPLES["guard"] + "\n", [SIGNER.key], ORIGIN).root == root


def test_a_later_key_is_vouched_for_by_the_first_and_by_itself() -> None:
    text, lines = EXAMPLES["voucher"].split("\n\n")
    form, origin, written = text.split("\n")
    assert (form, origin) == ("consent/key/v1", ORIGIN)
    for line, key in zip(lines.split("\n"), (SIGNER.key, written), strict=True):
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.split("+", 2)[2])[1:])
        mark = base64.b64decode(line.split(" ")[2])
        assert mark[:4].hex() == key.split("+")[1]
        public.verify(mark[4:], f"{text}\n".encode())
    new = Signer.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(SALT_0))
    document = voucher(new.key, ORIGIN, [SIGNER, new])
    assert (new.key, document.body.decode()) == (written, f"{EXAMPLES['voucher']}\n")
    event = announcement(new.key, document, origin=ORIGIN, time=datetime(2026, 11, 21, tzinfo=UTC))
    hashed = hashlib.sha256(f"{EXAMPLES['voucher']}\n".encode()).hexdigest()
    assert str(event.id) == EXAMPLES["id-announced"] == str(derived("key announced", ORIGIN, hashed))


def test_a_key_ends_by_a_note_of_its_own_and_of_one_that_it_vouched_for() -> None:
    new = Signer.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(SALT_0))
    written = f"{EXAMPLES['ending']}\n"
    assert written.startswith(f"consent/ending/v1\n{ORIGIN}\nrevoked\n{SIGNER.key}\n\n— ")
    document = farewell(SIGNER.key, ORIGIN, [SIGNER, new], revoked=True)
    assert document.body.decode() == written
    time, hashed = datetime(2026, 11, 21, tzinfo=UTC), hashlib.sha256(written.encode()).hexdigest()
    event = ending(SIGNER.key, document, revoked=True, origin=ORIGIN, time=time)
    assert str(event.id) == EXAMPLES["id-ended"] == str(derived("key ended", ORIGIN, hashed))
    assert event.detail == json.loads(EXAMPLES["ending-detail"])
    assert event.detail == {"key": {"note": hashed, "revoked": SIGNER.key}}


def test_a_pruning_says_how_long_all_was_kept_and_what_stays() -> None:
    hour = datetime(2022, 10, 30, 17, tzinfo=UTC)
    kinds = [Kind.OPERATED, Kind.OPERATED, *[Kind.REFUSED] * 510]
    records = [
        placed(index, Event(id=uuid.UUID(int=index), kind=kind, time=hour, policy=None), index == 7)
        for index, kind in enumerate(kinds)
    ]
    span, now = Span(cookies=366, retention=1096), hour + timedelta(days=366 + 1096, hours=1)
    tiles = FullTiles()
    tiles.grow([each.leaf_hash for each in records])
    event = pruning(512, records, tiles, origin=ORIGIN, time=now, policy=None, span=span)
    assert statement(event, ORIGIN) == EXAMPLES["pruned-statement"] + "\n"
    event = attested(event, ORIGIN, [SIGNER])
    assert canonical(event.detail).decode() == EXAMPLES["pruned-detail"]
    assert event.id == derived("pruned", ORIGIN, "512")
    require_attested(event, ORIGIN, [SIGNER.key])
    with pytest.raises(LedgerError, match="2022-10-30 17h UTC is too young"):
        pruning(512, records, tiles, origin=ORIGIN, time=now - timedelta(seconds=1), policy=None, span=span)
    with pytest.raises(LedgerError, match="Entry 9 is missing"):
        pruning(512, records[:9] + records[10:], tiles, origin=ORIGIN, time=now, policy=None, span=span)
    exchanged = [*records[:9], replace(records[9], leaf=records[8].leaf), *records[10:]]
    with pytest.raises(LedgerError, match="The leaf of entry 9 is not the one that was sealed"):
        pruning(512, exchanged, tiles, origin=ORIGIN, time=now, policy=None, span=span)


def placed(index: int, event: Event, open: bool) -> Sealed:
    """*event* as the record of entry *index*; its opening is gone unless it is *open*."""
    salt, body = bytes(32), event.body()
    leaf = event.leaf(ORIGIN, salt)
    return Sealed(
        index=index,
        id=event.id,
        leaf=leaf,
        leaf_hash=leaf_hash(leaf),
        subject=None,
        salt=salt if open else None,
        body=body if open else None,
    )


def test_the_tree_of_two_has_the_root_that_an_outsider_computes() -> None:
    root = hashlib.sha256(b"\x01" + HASH_0 + HASH_1).hexdigest()
    frontier = Frontier()
    frontier.append(leaf_hash(EXAMPLES["entry-0"].encode()))
    frontier.append(leaf_hash(EXAMPLES["leaf"].encode()))
    assert frontier.root().hex() == root == EXAMPLES["root-2"]


def test_the_checkpoint_is_three_lines_and_a_signature_by_the_key_of_entry_0() -> None:
    text, mark = EXAMPLES["checkpoint"].split("\n\n")
    root = base64.b64encode(bytes.fromhex(EXAMPLES["root-2"])).decode()
    assert text == f"{ORIGIN}\n2\n{root}"
    name, key_id, key = json.loads(EXAMPLES["entry-0"])["key"].split("+", 2)
    dash, signer, signature = mark.split(" ")
    signed = base64.b64decode(signature)
    assert (dash, signer, signed[:4].hex()) == ("—", name, key_id)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    public.verify(signed[4:], f"{text}\n".encode())  # raises unless it holds
    assert sign(Checkpoint(ORIGIN, 2, bytes.fromhex(EXAMPLES["root-2"])).to_text(), SIGNER) == (
        EXAMPLES["checkpoint"] + "\n"
    )


def test_the_receipt_holds_for_an_outsider_who_only_reads_this_page() -> None:
    head, note = EXAMPLES["receipt"].split("\n\n", 1)
    first, extra, index, proof = head.split("\n")
    assert (first, index, note) == ("c2sp.org/tlog-proof@v1", "index 1", EXAMPLES["checkpoint"])
    members = json.loads(base64.b64decode(extra.removeprefix("extra ")))
    assert members == json.loads(EXAMPLES["extra"])
    leaf, opening, salt = (base64.b64decode(members[name]) for name in ("leaf", "opening", "salt"))
    hashed = hashlib.sha256(b"\x00" + leaf).digest()
    root = hashlib.sha256(b"\x01" + base64.b64decode(proof) + hashed).hexdigest()
    assert root == EXAMPLES["root-2"]
    code = hmac.new(salt, b"consent/opening/v1\x00" + opening, hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(code).decode().rstrip("=") == json.loads(leaf)["commitment"]
    assert json.loads(leaf)["origin"] == ORIGIN


def test_the_package_writes_and_reads_the_example_receipt() -> None:
    receipt = Receipt(
        index=1,
        proof=(HASH_0,),
        note=EXAMPLES["checkpoint"] + "\n",
        leaf=EXAMPLES["leaf"].encode(),
        salt=SALT,
        opening=EXAMPLES["opening"].encode(),
    )
    assert receipt.to_text() == EXAMPLES["receipt"] + "\n"
    assert Receipt.parse(EXAMPLES["receipt"] + "\n") == receipt
    assert check_receipt(receipt, [SIGNER.key], ORIGIN) is Outcome.VALID
    two = bytes.fromhex(EXAMPLES["root-2"])
    check_inclusion([HASH_0], index=1, size=2, leaf_hash=HASH_1, root=two)
    check_consistency([HASH_1], old_size=1, old_root=HASH_0, new_size=2, new_root=two)


def test_tiles_hold_hashes_and_are_where_the_page_says() -> None:
    assert bytes.fromhex(EXAMPLES["tile"]) == HASH_0 + HASH_1
    assert [tile.path for tile in tiles_of(2)] == ["tile/0/000.p/2"]
    paths = [tile.path for tile in tiles_of(70_000)]
    bundles = [tile.entries_path for tile in tiles_of(70_000) if tile.level == 0]
    assert [*paths[:1], *paths[272:], *bundles[273:]] == EXAMPLES["tiles"].split("\n")
    assert Tile(0, 1_234_067).path == EXAMPLES["tile-path"]
    leaf = EXAMPLES["leaf"].encode()
    assert entry_bundle([leaf]) == len(leaf).to_bytes(2, "big") + leaf


def test_the_page_lists_every_kind_and_every_member() -> None:
    for kind in Kind:
        assert f"`{kind}`" in PAGE
    for member in [*json.loads(EXAMPLES["leaf"]), *json.loads(EXAMPLES["opening"])]:
        assert f"`{member}`" in PAGE


def derived(*parts: str) -> uuid.UUID:
    """The id by the words of the page."""
    listed = ",".join(f'"{part}"' for part in ("consent/id/v1", *parts))
    number = int.from_bytes(hashlib.sha256(f"[{listed}]".encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    return uuid.UUID(int=number & ~(0x3 << 62) | 2 << 62)


def test_the_bundle_of_the_two_entries_has_these_files_and_lines() -> None:
    document = EXAMPLES["document"].encode()
    records = [
        Sealed(
            index=index,
            id=uuid.UUID(json.loads(EXAMPLES[name])["id"]),
            leaf=EXAMPLES[name].encode(),
            leaf_hash=hash,
            subject=None,
            salt=salt,
            body=body,
        )
        for index, (name, hash, salt, body) in enumerate(
            [("entry-0", HASH_0, SALT_0, EXAMPLES["opening-0"].encode()), ("leaf", HASH_1, None, None)]
        )
    ]
    tiles = FullTiles()
    tiles.grow([HASH_0, HASH_1])
    bundle = Bundle(
        checkpoint=EXAMPLES["checkpoint"] + "\n",
        records=lambda: iter(records),
        tiles=tiles,
        documents=[EXAMPLES["document-hash"]],
        document={EXAMPLES["document-hash"]: document}.__getitem__,
        erased=lambda: [(1, records[1].id)],
        program=b"",
    )
    files = files_of(bundle.parts())
    assert [*files] == EXAMPLES["bundle"].splitlines()
    assert files["openings.jsonl"].decode() == EXAMPLES["bundle-opening"] + "\n"
    assert files["erased.jsonl"].decode() == EXAMPLES["bundle-erased"] + "\n"
    assert files["tile/0/000.p/2"].hex() == EXAMPLES["tile"]
    november = files_of(replace(bundle, span=(date(2026, 11, 1), date(2026, 11, 30))).parts())
    assert november["span.json"].decode() == EXAMPLES["bundle-span"] + "\n"
    assert [*november][:3] == ["README.txt", "checkpoint", "span.json"]
    assert files["checkpoint"].decode() == EXAMPLES["checkpoint"] + "\n"

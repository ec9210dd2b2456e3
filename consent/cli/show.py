"""``flask consent show``: one event in words, and the notice it was given under."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from uuid import UUID

import click

from consent.audit.answers import answer_lines
from consent.audit.export import whole_file
from consent.audit.lookup import LookUps, look_up, look_ups, stand_in
from consent.audit.proof import Proof, proof_of
from consent.audit.row import Reader, Row
from consent.audit.search import SearchError, read_id
from consent.audit.today import notice_today, often, policy_since
from consent.audit.verification import as_kept
from consent.audit.wording import PRUNED, facts_of, kind_text
from consent.cli.command import IMPOSSIBLE, WRONG, command, ledger_of, site_of
from consent.cli.diff import in_words as difference_in_words
from consent.cli.diff import members as difference_members
from consent.cli.operator import operator
from consent.cli.terminal import complain, facts, say, say_json, table, visible
from consent.errors import LedgerError, ProofError
from consent.ledger.receipt import LONGEST_RECEIPT, Receipt
from consent.policy import Policy
from consent.web.site import Site

ID = "8f2b6c1e-9d4a-4c55-b1de-6a0f0c3e7a11"


@command(
    "show",
    f"flask consent show {ID}",
    f"flask consent show {ID} --json",
    f"flask consent show {ID} --notice notice.html",
    "flask consent show --receipt mine.tlog-proof",
    f"flask consent show {ID} --auditor auditor-1 --auditor auditor-2",
)
@click.argument("id", required=False)
@click.option(
    "--receipt",
    type=click.File("rb"),
    help="Show the event of this receipt, which a visitor kept, instead of ID; - is standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.option(
    "--notice",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the notice it was given under, byte for byte as stored, to this file; - is standard output.",
)
@click.option(
    "--auditor",
    "auditors",
    multiple=True,
    metavar="NAME",
    help="Name this auditor where they looked it up, by what CONSENT_AUDITOR gives or os:NAME. Repeat for more.",
)
@click.pass_context
def show(
    ctx: click.Context,
    id: str | None,
    receipt: IO[bytes] | None,
    as_json: bool,
    notice: Path | None,
    auditors: tuple[str, ...],
) -> None:
    """Say everything that is recorded of the event ID, and who has looked it up.

    ID is the event id that "flask consent log" lists; or --receipt names a file that a visitor kept, and the log's
    event of that receipt is shown. Whether the receipt itself is genuine says "flask consent verify --receipt".

    The event's inclusion proof is made and checked, down to the signature. Ends with 1 if the record is not as it was
    written, or its proof doesn't hold. Of an event that was pruned only that is said. What the site's templates and
    policy of today give instead of the notice of that day, and what the policy changed since, is said after it.

    That it is looked up is recorded first, with what stands for your account on this machine: nothing is shown
    otherwise. Whoever looked it up, or another event of the same browser, is listed by what stands for them: an
    account on a machine is "os:NAME", others are whom CONSENT_AUDITOR named.
    """
    wanted = meant(id, receipt)
    reader, site = Reader(ledger_of(ctx)), site_of(ctx)
    record = look_up(site, wanted, operator(), "show")
    if record is None and reader.ledger.was_pruned(wanted):
        say_json({"id": str(wanted), "pruned": True}) if as_json else say(PRUNED.format(wanted))
        return
    if record is None:
        complain(f"Error: no event {wanted} is recorded here. Is it of another site, or copied wrongly?")
        ctx.exit(IMPOSSIBLE)
    row = reader.row(record)
    if notice is not None:
        write(notice_of(reader, row), notice)
        ctx.exit(WRONG if row.problem else 0)
    proof, seen_by = proof_of(reader.ledger, wanted), look_ups(reader.ledger, record)
    if as_json:
        say_json(members(site, reader, row, proof, seen_by))
    else:
        named = {stand_in(site.recorder, each): each for each in (operator(), *auditors)}
        words = in_words(row, reader.policy(row.policy), proof, seen_by, named)
        say("\n\n".join([words, *from_today(site, reader, row)]))
    ctx.exit(WRONG if row.problem or proof.holds is False else 0)


def meant(id: str | None, receipt: IO[bytes] | None) -> UUID:
    """The event that is meant, by its *id* or by its *receipt*; click's usage error for none, both, or a wrong one."""
    if (id is None) == (receipt is None):
        raise click.UsageError("Name one event: by its ID, or by --receipt FILE.")
    try:
        if id is not None:
            return read_id(id)
        text = receipt.read(LONGEST_RECEIPT + 1).decode() if receipt else ""
        return Receipt.parse(as_kept(text)).outline().id
    except SearchError as error:
        raise click.BadParameter(str(error), param_hint="ID") from error
    except (UnicodeDecodeError, ProofError, LedgerError) as error:
        said = "This is no text." if isinstance(error, UnicodeDecodeError) else str(error)
        raise click.BadParameter(said, param_hint="--receipt") from error


def notice_of(reader: Reader, row: Row) -> bytes:
    """The stored bytes of the notice that *row* was given under; LedgerError when there are none."""
    if row.event is None or row.event.notice is None:
        why = "its personal part is erased" if row.erased else "it names none"
        raise LedgerError(f"the notice of event {row.id} isn't known: {why}.")
    document = reader.ledger.document(row.event.notice)
    if document is None:
        raise LedgerError(
            f"the notice {row.event.notice} isn't on record. Restore the database from a backup."
        )
    return document.body


def write(body: bytes, file: Path) -> None:
    """Write *body* to *file*, or to standard output."""
    if file == Path("-"):
        click.echo(body, nl=False)
        return
    with whole_file(file) as new:
        new.write(body)


def in_words(
    row: Row, policy: Policy | None, proof: Proof, seen_by: LookUps, named: Mapping[str, str]
) -> str:
    """All of *row* and its *proof*, in lines for a person; who has looked it up, *named* by what stands for them."""
    parts = [kind_text(row), facts(facts_of(row, policy))]
    if lines := answer_lines(row, policy):
        parts.append(
            table(
                ("service", "before", "after", ""),
                [
                    (line.service, line.before, line.after, "changed" if line.changed else "")
                    for line in lines
                ],
            )
        )
    parts.append(visible(proof.said))
    if proof.facts:
        parts.append(facts(proof.facts))
    if seen_by.listed:
        lines_of = [
            (f"{each.time:%Y-%m-%d %H:%M:%S}", each.how, named.get(each.who, each.who), _index(each.index))
            for each in seen_by.listed
        ]
        parts.append(table(("looked up (UTC)", "how", "by", "event's index"), lines_of))
    if seen_by.further:
        parts.append(f"It was looked up {often(seen_by.further)} more before.")
    return "\n\n".join(parts)


def members(site: Site, reader: Reader, row: Row, proof: Proof, seen_by: LookUps) -> dict[str, object]:
    """All that is said of *row*, as plain data for JSON."""
    notice = notice_today(site, reader, row)
    policy = None if row.policy is None else policy_since(site, reader, row.policy)
    return {
        **row.members(personal=True),
        "proof": {
            "said": proof.said,
            "holds": proof.holds,
            **{name.replace(" ", "_"): said for name, said in proof.facts},
        },
        "look_ups": [each.members() for each in seen_by.listed],
        "further_look_ups": seen_by.further,
        "notice_today": notice
        and {
            "same": notice.same,
            "said": notice.said,
            "lines": [{"then": then, "now": now} for then, now in notice.lines],
        },
        "policy_since": policy
        and {
            "times": policy.times,
            "materially": policy.materially,
            "said": policy.said,
            "difference": policy.difference and difference_members(policy.difference),
        },
    }


def from_today(site: Site, reader: Reader, row: Row) -> Iterator[str]:
    """How *row* is seen from today, in paragraphs: its notice, then its policy."""
    if today := notice_today(site, reader, row):
        beside = (f"  {then or '(nothing)'} → {now or '(nothing)'}" for then, now in today.lines)
        yield "\n".join([f"The notice: {today.said}", *beside])
    if row.policy is not None:
        since = policy_since(site, reader, row.policy)
        yield f"The policy: {since.said}"
        if since.difference:
            yield difference_in_words(since.difference)


def _index(index: int | None) -> str:
    return "-" if index is None else str(index)

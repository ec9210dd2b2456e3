"""Writing an app's events into its ledger: opened on first use, bounded waits, bounded growth."""

import logging
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from consent.errors import LedgerConflict, LedgerError, LedgerUnavailable, PolicyError
from consent.ledger import Document, Event, Kind, Ledger, Record, Recorded, erasure, forgotten, link, operated
from consent.policy import Policy, compare
from consent.web.limits import Limits
from consent.web.metrics import Metrics

log = logging.getLogger("consent")

#: Requests of one process that wait on a ledger which doesn't answer, and how long each does (seconds).
MOST_WAITERS, PATIENCE = 2, 2.0
#: How long who wants a receipt made or checked waits for the one before, and then for the ledger (seconds).
PROVING = 1.0
#: How long a further request waits between two looks, and after how long without any progress it is turned away.
TURN, STUCK = 0.1, 0.5
#: The same browser giving the same answers within so many seconds is recorded once.
REPEAT = 60
#: Accounts remembered; a full memory starts anew.
MOST_ACCOUNTS = 4096


@dataclass(slots=True, eq=False)
class OptOuts:
    """What one process remembers of accounts: whether they are opted out, and for how long that is known."""

    known: dict[str, tuple[float, bool]] = field(default_factory=dict)
    changes: int = 0
    """How often something was recorded that may change what a look-up finds."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, link: str, now: float) -> bool | None:
        """Whether the account *link* is opted out; None when that isn't known at *now* (seconds, steady clock)."""
        until, found = self.known.get(link, (now, False))
        return found if now < until else None

    def keep(self, link: str, found: bool, *, until: float, changes: int) -> None:
        """Remember what a look-up *found*, unless something was recorded since *changes* was read before it."""
        with self.lock:
            if changes == self.changes:
                if len(self.known) >= MOST_ACCOUNTS:
                    self.known.clear()
                self.known[link] = until, found

    def forget(self, link: str) -> None:
        """Forget what is known of *link*, and what look-ups that are under way will find."""
        with self.lock:
            self.changes += 1
            self.known.pop(link, None)

    def clear(self) -> None:
        """Forget all accounts."""
        with self.lock:
            self.known.clear()


@dataclass(slots=True, kw_only=True)
class Recorder:
    """One app's way into its ledger. Nothing is opened before the first event, document or look-up."""

    open: Callable[[], Ledger]
    policy: Policy
    fingerprint: Mapping[str, str]
    limits: Limits
    once: Limits
    """Those of what is loaded once."""
    clock: Callable[[], float]
    steady: Callable[[], float]
    afresh: str
    """How another log is begun where this one holds trials only: a sentence."""
    waiters: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_WAITERS)
    )
    prover: threading.Lock = field(default_factory=threading.Lock)
    """Held by the one request whose receipt is made or checked."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: Ledger | None = None
    moved: float = float("-inf")
    """When a request last got through."""
    key: bytes | None = None
    """What accounts and auditors are linked under, once it was asked for."""
    opt_outs: OptOuts = field(default_factory=OptOuts)
    metrics: Metrics | None = None
    """What is counted; None where the site doesn't ask for it."""
    ready: bool = False
    """Whether this process has found the policy on record and in order."""

    @property
    def ledger(self) -> Ledger:
        """The ledger; opened now if it wasn't."""
        with self.lock:
            if self.opened is None:
                self.opened = self.open()
            return self.opened

    def record(
        self, event: Event, salt: bytes, documents: Sequence[Document] = (), *, address: str | None = None
    ) -> Recorded:
        """Write *event*; when this returns it is durable.

        LedgerUnavailable when it can't be written now: over the limits, another process holds the ledger,
        no space. LedgerConflict when the policy contradicts what is on record.
        """
        with self.measuring(event.kind) as done:
            limits = self.once if event.kind is Kind.GIVEN_ONCE else self.limits
            limits.take(address, self.steady())
            with self.turn(), self.learning(event):
                self.prepare()
                return done(
                    self.ledger.record(
                        event, salt=salt, documents=documents, merge_within=REPEAT, patience=PATIENCE
                    )
                )

    def record_signal(self, event: Event, salt: bytes, *, address: str | None = None) -> Recorded:
        """Write *event*, what the browser's signal ended, once for its id; LedgerUnavailable when that can't be now."""
        with self.measuring(event.kind) as done:
            self.limits.take(address, self.steady())
            with self.turn(), self.learning(event):
                self.prepare()
                return done(self.ledger.record_once(event, salt=salt, patience=PATIENCE))

    def record_account(self, event: Event, salt: bytes, *, address: str | None = None) -> None:
        """Write *event*, by which the signal opts out an account, unless it is; LedgerUnavailable as above."""
        with self.measuring(event.kind) as done:
            self.limits.take(address, self.steady())
            with self.turn(), self.learning(event):
                self.prepare()
                done(self.ledger.record_news(event, salt=salt, patience=PATIENCE))

    @contextmanager
    def measuring(self, kind: Kind) -> Iterator[Callable[[Recorded], Recorded]]:
        """Count an event of *kind* that is recorded in the block, which gives what came of it to what it gets here.

        What keeps it from being recorded is counted, too, and comes through.
        """
        begun, metrics = self.steady(), self.metrics

        def done(recorded: Recorded) -> Recorded:
            if metrics is not None:
                metrics.appended(kind, self.steady() - begun, recorded)
            return recorded

        try:
            yield done
        except LedgerError:
            if metrics is not None:
                metrics.failed()
            raise

    @contextmanager
    def learning(self, event: Event) -> Iterator[None]:
        """Forget what was known of the account that *event* is about."""
        try:
            yield
        finally:
            if event.account:
                self.opt_outs.forget(event.account)

    def link(self, account: str) -> str:
        """What stands for the site's *account* in the log; LedgerError when the ledger's key isn't there."""
        return link(self.linking_key(), account)

    def linking_key(self) -> bytes:
        """The 32 bytes under which accounts and auditors are linked, asked for once; LedgerError without them."""
        if self.key is None:
            self.key = self.ledger.account_key()
        return self.key

    def forget_account(self, account: str) -> bool:
        """End the opt-out of *account*; whether there was one. LedgerUnavailable when that can't be done now."""
        linked = self.link(account)
        event = forgotten(linked, id=new_id(), time=moment(self.clock()))
        with self.turn():
            found = self.ledger.forget_account(event, salt=secrets.token_bytes(32), patience=PATIENCE)
        self.opt_outs.forget(linked)
        return found

    def keep(self, documents: Sequence[Document]) -> None:
        """Store *documents* that aren't stored yet; LedgerUnavailable when that can't be done now."""
        with self.turn():
            self.prepare()
            self.ledger.keep(documents, patience=PATIENCE)

    def named_policy(self) -> str | None:
        """The digest of the policy for an event of no visitor's, put on record before; None where it can't be there."""
        with suppress(LedgerUnavailable):
            if self.ready or not self.contradiction():
                self.ledger.keep([policy_document(self.policy)], patience=PATIENCE)
                return self.policy.digest
        return None

    def prepare(self) -> None:
        """Once per process: put the policy on record, and what the site runs under (``operated``)."""
        if self.ready:
            return
        if problem := self.contradiction():
            raise LedgerConflict(problem)
        ledger = self.ledger
        ledger.keep([policy_document(self.policy)], patience=PATIENCE)
        event = operated(
            self.fingerprint, origin=ledger.origin, time=moment(self.clock()), policy=self.policy.digest
        )
        ledger.record_once(event, salt=secrets.token_bytes(32), patience=PATIENCE)
        self.ready = True

    def contradiction(self) -> str | None:
        """Why this policy can't be recorded beside the ones on record; None when it can."""
        for earlier in self.read_policies():
            if earlier.revision == self.policy.revision and (
                problem := compare(earlier, self.policy).problem
            ):
                return f"{problem} {self.afresh}"
        return None

    def policy_of(self, digest: str) -> Policy | None:
        """The policy with this digest: the current one, or one on record; None when none can be read."""
        if digest == self.policy.digest:
            return self.policy
        document = self.document(digest)
        return readable(document) if document and document.kind == "policy" else None

    def policies(self) -> list[Policy]:
        """The policies on record that can be read, newest first."""
        with self.turn():
            found = list(self.read_policies())
        return sorted(found, key=lambda policy: (policy.revision, policy.effective), reverse=True)

    def read_policies(self) -> Iterator[Policy]:
        """The policies on record; one that a later release wrote, or that is damaged, is passed over."""
        for document in self.ledger.documents("policy"):
            if (policy := readable(document)) is not None:
                yield policy

    def document(self, hash: str) -> Document | None:
        """The policy or notice on record under *hash*."""
        with self.turn():
            return self.ledger.document(hash)

    def checkpoint(self, covering: int | None = None) -> str | None:
        """The newest signed note; with *covering* only one over that entry. None when it isn't signed yet."""
        with self.turn():
            return self.ledger.checkpoint(covering, patience=PATIENCE)

    def of_subject(self, subject: uuid.UUID) -> Sequence[Record]:
        """The records linked to *subject*, oldest first."""
        with self.turn():
            return self.ledger.of_subject(subject)

    def subject_of(self, id: uuid.UUID) -> uuid.UUID | None:
        """Whom the event *id* is linked to; None when it is linked to nobody, erased, or not on record."""
        with self.turn():
            found = self.ledger.get(id)
        return None if found is None else found.subject

    def erase(self, subject: uuid.UUID, by: str, *, address: str | None = None) -> int:
        """Erase what is on record of *subject*, and record that *by* did so; how many events that were.

        LedgerUnavailable when it can't be done now; then all is as it was.
        """
        self.limits.take(address, self.steady())
        with self.turn():
            self.prepare()
            return self.ledger.erase(
                erasure(by, id=new_id(), time=moment(self.clock()), policy=self.policy.digest),
                salt=secrets.token_bytes(32),
                subject=subject,
                patience=PATIENCE,
            )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One of the few places of requests that use the ledger at a time.

        While others finish, a request waits its turn; behind a ledger that doesn't move it is turned away.
        """
        begun = self.steady()
        while not self.waiters.acquire(timeout=TURN):
            now = self.steady()
            stuck = STUCK if self.ready else PATIENCE  # the first use of a ledger takes its time
            if now - max(begun, self.moved) > stuck or now - begun > PATIENCE:
                raise LedgerUnavailable("the ledger is busy", retry_after=round(PATIENCE))
        try:
            yield
            self.moved = self.steady()
        finally:
            self.waiters.release()

    @contextmanager
    def proving(self) -> Iterator[Ledger]:
        """The ledger, for receipts: one at a time, and in none of the places of those that record.

        LedgerUnavailable while others want theirs.
        """
        if not self.prover.acquire(timeout=PROVING):
            raise LedgerUnavailable("others are having their receipts made or checked", retry_after=2)
        try:
            yield self.ledger
        finally:
            self.prover.release()

    def problems(self) -> list[str]:
        """What ``flask consent check`` should say of the ledger; empty when all is well."""
        try:
            found = [problem] if (problem := self.contradiction()) else []
            return found + list(self.ledger.problems())
        except LedgerError as error:
            return [str(error)]


def readable(document: Document) -> Policy | None:
    """The policy in *document*; None when this release can't read it."""
    try:
        return policy_in(document.body)
    except PolicyError as error:
        log.warning("the policy %s on record can't be read: %s", document.hash[:12], error)
        return None


@lru_cache(64)
def policy_in(body: bytes) -> Policy:
    """The policy of these bytes, worked out once; PolicyError when this release can't read it."""
    return Policy.from_canonical(body)


def policy_document(policy: Policy) -> Document:
    """*policy* as the ledger stores it."""
    return Document(hash=policy.digest, kind="policy", body=policy.canonical())


def moment(seconds: float) -> datetime:
    """*seconds* since the epoch as UTC to the millisecond."""
    return datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)


def new_id() -> uuid.UUID:
    """A fresh random event or subject id (UUIDv4)."""
    return uuid.uuid4()

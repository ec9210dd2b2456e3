"""Answers as consent records in JSON-LD: fields modelled on ISO/IEC TS 27560:2023, terms of DPV 2.3.

The W3C group's guide "Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV" says which term stands for
which field. Only what was given is exported as given: a reader who looks for valid consent finds nothing else. What an
event says besides is there under the log's own names, so that nothing is left to guess.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from consent.audit.export import MOST_FORMS, json_line
from consent.audit.row import Like, Reader, Row
from consent.ledger import Event, Kind
from consent.policy import Policy
from consent.policy.parts import Duration, Service
from consent.web.site import Site

#: What a record is called that looks like this; it changes with any member.
VERSION: Final = "Flask-Assent consent record 1"
#: The status of each kind of event that answers for a visitor. What ends because terms changed is revoked, not
#: invalidated: that would say that it never was valid. Brought over from elsewhere, nothing shows that it was.
STATUS: Final = {
    Kind.GIVEN: "dpv:ConsentGiven",
    Kind.GIVEN_ONCE: "dpv:ConsentGiven",
    Kind.REFUSED: "dpv:ConsentRefused",
    Kind.WITHDRAWN: "dpv:ConsentWithdrawn",
    Kind.SIGNAL_OPT_OUT: "dpv:ConsentWithdrawn",
    Kind.OPTED_OUT: "dpv:ConsentRefused",
    Kind.EXPIRED: "dpv:ConsentExpired",
    Kind.INVALIDATED: "dpv:ConsentRevoked",
    Kind.IMPORTED: "dpv:ConsentUnknown",
}
#: The kinds that a visitor's act makes; the others are the site's.
_BY_VISITOR: Final = frozenset(STATUS) - {Kind.EXPIRED, Kind.INVALIDATED, Kind.IMPORTED}
#: Where a line's form has what a record has of its own. Nobody can have written it into a policy.
_PLACE: Final = secrets.token_hex(16)
_OWN: Final = {name: f"{_PLACE}-{name}" for name in ("index", "id", "time", "subject")}
#: Where a profile's law holds (DPV's codes of places); the default profile says nothing of a place.
_PLACES: Final = {"eu": "loc:EU", "uk": "loc:GB", "fr": "loc:FR", "us_ca": "loc:US-CA", "us_other": "loc:US"}
_UNITS: Final = {
    "minute": "PT{}M",
    "hour": "PT{}H",
    "day": "P{}D",
    "week": "P{}W",
    "month": "P{}M",
    "year": "P{}Y",
}


@dataclass(slots=True)
class Records:
    """Makes the records of one site, whose pages for visitors begin at the URL *address*."""

    address: str
    policy_of: Callable[[str | None], Policy | None]
    """The policy with a digest; None when it isn't on record."""
    left_out: int = 0
    """Events without a record: of the log itself, erased, or not as they were written."""
    _processes: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    _forms: dict[tuple[Like, bool], str] = field(default_factory=dict)
    """The lines of records that are alike, by whether they name a subject."""

    @classmethod
    def of(cls, site: Site, reader: Reader) -> "Records":
        """Those of *site*, under the policies that *reader* finds."""
        return cls(site.policy.controller.site + site.settings.url_prefix, reader.policy)

    @property
    def context(self) -> dict[str, object]:
        """What the names stand for. It is in the document, so that reading one fetches nothing."""
        return {
            "dct": "http://purl.org/dc/terms/",
            "dpv": "https://w3id.org/dpv#",
            "loc": "https://w3id.org/dpv/loc#",
            "log": f"{self.address}#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
            "dpv:hasJurisdiction": {"@type": "@id"},
            "dpv:hasLegalBasis": {"@type": "@id"},
            "dpv:hasLocation": {"@type": "@id"},
            "dpv:isExercisedAt": {"@type": "@id"},
            "dpv:isIndicatedBy": {"@type": "@id"},
            "dpv:isIndicatedAtTime": {"@type": "xsd:dateTime"},
        }

    def write(self, rows: Iterable[Row], out: IO[str]) -> int:
        """Write the records of *rows* as one JSON-LD document, a record to a line; how many."""
        out.write(f'{{"@context":{json_line(self.context)},"@graph":[')
        written = 0
        for row in rows:
            if (line := self._line(row)) is not None:
                out.write(("," if written else "") + "\n" + line)
                written += 1
        out.write("\n]}\n")
        return written

    def record(self, row: Row) -> dict[str, object] | None:
        """The record of *row*; None if it has none, which is counted."""
        event = self._answer(row)
        if event is None:
            return None
        return self._record(row.like, event, index=row.index, id=row.id, time=row.time, subject=row.subject)

    def _line(self, row: Row) -> str | None:
        """As :meth:`record`, as JSON: what those that are alike have in common is written once for all of them."""
        event = self._answer(row)
        if event is None:
            return None
        named = row.subject is not None
        if (form := self._forms.get((row.like, named))) is None:
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            form = self._forms[row.like, named] = self._form(row.like, event, named=named)
        index = "null" if row.index is None else row.index
        return form % {"index": index, "id": row.id, "time": row.time, "subject": row.subject}

    def _form(self, like: Like, event: Event, *, named: bool) -> str:
        index, id, time = _OWN["index"], _OWN["id"], _OWN["time"]
        subject = _OWN["subject"] if named else None
        record = self._record(like, event, index=index, id=id, time=time, subject=subject)
        form = json_line(record).replace("%", "%%")
        form = form.replace(f'"{index}"', "%(index)s")  # the only one that is no text
        for name, place in _OWN.items():
            form = form.replace(place, f"%({name})s")
        return form

    def _answer(self, row: Row) -> Event | None:
        """What those like *row* say, if it is a visitor's answer as it was recorded; else None, which is counted."""
        event = row.like.event
        if event is None or row.time is None or row.problem is not None or event.kind not in STATUS:
            self.left_out += 1
            return None
        return event

    def _record(
        self, like: Like, event: Event, *, index: object, id: str, time: str | None, subject: str | None
    ) -> dict[str, object]:
        """The record of what is *like* this and has these of its own; *event* is any of them."""
        policy = self.policy_of(like.policy)
        about = concerned(event)
        # What ended because terms changed had others than those of that day.
        terms = None if event.kind is Kind.INVALIDATED else policy
        return {
            "@type": "dpv:ConsentRecord",
            "@id": f"urn:uuid:{id}",
            "dct:conformsTo": VERSION,
            "dct:identifier": id,
            "dpv:hasDataSubject": _named("dpv:DataSubject", subject and f"urn:uuid:{subject}"),
            "dpv:hasDataController": _controller(policy),
            "dpv:hasNotice": self._notice(event),
            "dpv:hasJurisdiction": _PLACES.get(event.profile or ""),
            "dpv:hasProcess": [self._process(like.policy, terms, key) for key in about],
            "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": self.address},
            "dpv:hasConsentStatus": _status(event, time),
            "log:index": index,
            **{f"log:{name}": value for name, value in _besides(like, event).items()},
        }

    def _notice(self, event: Event) -> dict[str, object]:
        address = event.notice and f"{self.address}/notices/{event.notice}"
        return _named("dpv:ConsentNotice", address) | {"dct:language": event.language}

    def _process(self, digest: str | None, policy: Policy | None, key: str) -> dict[str, object]:
        if policy is None or digest is None or key not in policy.terms:
            return {"@type": "dpv:Process", "dct:identifier": key}
        if (digest, key) not in self._processes:
            self._processes[digest, key] = _process(policy, policy.service(key))
        return self._processes[digest, key]


def concerned(event: Event) -> Sequence[str]:
    """The services that the status of *event* is about: given or refused by it, or no longer granted after it."""
    if event.kind in (Kind.GIVEN, Kind.GIVEN_ONCE, Kind.IMPORTED):
        return event.granted
    if event.kind in (Kind.REFUSED, Kind.OPTED_OUT):
        return event.refused
    return sorted(set(event.before_granted) - set(event.granted))


def iso(duration: Duration) -> str:
    """*duration* as ISO 8601 writes it: ``P13M``."""
    return _UNITS[duration.unit].format(duration.count)


def _status(event: Event, time: str | None) -> dict[str, object]:
    types = [STATUS[event.kind]]
    if event.kind in (Kind.GIVEN, Kind.GIVEN_ONCE):
        types.append("dpv:ExpressedConsent")
    return {
        "@type": types,
        "dpv:isIndicatedBy": "dpv:DataSubject" if event.kind in _BY_VISITOR else "dpv:DataController",
        "dpv:isIndicatedAtTime": time,
        "dpv:hasIndicationMethod": event.source,
    }


def _besides(like: Like, event: Event) -> dict[str, object]:
    return {
        "kind": event.kind.value,
        "policy": like.policy,
        "revision": like.revision,
        "profile": event.profile,
        "granted": list(event.granted),
        "refused": list(event.refused),
        "before_granted": list(event.before_granted),
        "before_refused": list(event.before_refused),
        "signal": event.signal,
        "opted_out": event.opted_out,
    }


def _controller(policy: Policy | None) -> dict[str, object] | None:
    if policy is None:
        return None
    controller = policy.controller
    said = {
        "dpv:hasName": controller.name,
        "dpv:hasContact": controller.contact,
        "dpv:hasAddress": controller.address,
    }
    return _named("dpv:DataController", controller.site) | {name: text for name, text in said.items() if text}


def _process(policy: Policy, service: Service) -> dict[str, object]:
    provider = policy.provider(service.provider)
    recipients = [*([] if service.provider == "self" else [provider.name]), *service.recipients]
    country = service.country or provider.country
    storage: list[dict[str, object]] = []
    if service.retention:
        storage.append({"@type": "dpv:StorageDuration", "dpv:hasDuration": iso(service.retention)})
    if country:
        storage.append({"@type": "dpv:StorageLocation", "dpv:hasLocation": f"loc:{country}"})
    return {
        "@type": "dpv:Process",
        "dct:identifier": service.key,
        "dct:title": service.title or service.key,
        "dpv:hasPurpose": [_identified("dpv:Purpose", code) for code in service.purposes],
        "dpv:hasLegalBasis": "dpv:Consent",
        "dpv:hasPersonalData": [_identified("dpv:PersonalData", code) for code in service.data],
        "dpv:hasRecipient": [{"@type": "dpv:Recipient", "dpv:hasName": name} for name in recipients],
        "dpv:hasStorageCondition": storage,
    }


def _identified(type_: str, code: str) -> dict[str, object]:
    return {"@type": type_, "dct:identifier": code}


def _named(type_: str, address: str | None) -> dict[str, object]:
    """Something of *type_*: with its *address*, or that there was one and nothing names it."""
    return {"@type": type_, **({"@id": address} if address else {})}

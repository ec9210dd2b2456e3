"""The notice: the HTML of banner and preference centre, rendered once and kept by its hash.

It is rendered for each policy digest, language, profile and mount point, and contains nothing from the
request. Stored and hashed are those bytes with the hash field empty and nothing marked; served are the
same bytes with the hash filled in and, for someone who has answered, their answers marked (REC-02).

Rendering it also checks the site's own templates, those of its parts and those around it, the latter with the least
and the most that requests bring to them: what weakens the choice stops the start (UI-11). What stays beyond that is
said in :mod:`consent.web.buttons`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, TemplateError, TemplateNotFound
from markupsafe import Markup

from consent.decision import PROFILES, Decision
from consent.errors import ConfigurationError
from consent.policy import Policy
from consent.web import buttons
from consent.web.assets import ROOT
from consent.web.declaration import Declaration, declared
from consent.web.language import Catalogue, catalogue

TEMPLATES = ROOT / "templates"
EMPTY = 'name="notice" value=""'
#: What a stored notice says of its policy, so that a form filled in days ago is judged by what it showed.
POLICY_OF = re.compile(rb'name="notice" value="" data-policy="([0-9a-f]{64})"')
#: The language that its first form says it is in, however a site's template writes that.
LANGUAGE_OF = re.compile(rb"""<form\s(?:[^>]*\s)?lang=["']?([A-Za-z0-9-]+)""", re.IGNORECASE)
#: Dashes, quotation marks and the like (U+2010 to U+2027) as character references. A single one makes Python keep the
#: whole page around it in two bytes for each character, and take many times as long to encode it.
NARROW = {mark: f"&#{mark};" for mark in range(0x2010, 0x2028)}
#: The elements in whose text browsers read no character references.
RAW = re.compile("<(?:script|style)[^>]*>[^<]", re.IGNORECASE)
#: Mount points and profiles are few; the bound only keeps a misconfigured proxy from filling the memory.
MOST_NOTICES = 512

# What requests bring to the templates around the notice, of each the least and the most; "T" is any text.
PROBLEM = {"id": "error.409", "changed": "error.409.changed", "held": True, "faults": ("T",)}
LEAST_PROBLEM = PROBLEM | {"held": False, "faults": ()}
STAYING_OFF = LEAST_PROBLEM | {"id": "error.embed", "reason": "marked"}
NEEDED = {"title": "T", "text": "T", "reason": "undecided"}
REVISION = {"revision": 1, "effective": "T", "url": "/"}
LINES = [{"title": "T", "on": on, "reason": "granted"} for on in (True, False)]
GROUPS = [{"title": "T", "always_on": always, "services": LINES} for always in (True, False)]
ENTRY = dict.fromkeys(("iso", "time", "on", "off", "receipt"), "T") | {"kind": "given", "source": "banner"}
ENTRIES = [ENTRY | {"notice": "/", "revision": 1}, ENTRY | {"notice": None, "revision": None}]
MINE: dict[str, object] = dict.fromkeys(("decided", "until", "asking", "signal", "sale"), "T") | {
    "subject": True,
    "unreadable": False,
    "state": GROUPS,
    "history": ENTRIES,
    "checked": None,
}
RECEIPT: dict[str, object] = dict.fromkeys(("origin", "name", "text", "file", "again"), "T") | {
    "index": 1,
    "keys": ["T", "T"],
    "said": ENTRY | {"revision": 1},
    "why": None,
}
LEAST_RECEIPT = dict.fromkeys(RECEIPT)
VALID = {"worth": "valid", "pasted": "", "says": ENTRY | {"notice": None, "revision": None}}
WORTHLESS = {"worth": "altered", "pasted": "T", "says": None}
LEAST_MINE = dict.fromkeys(MINE) | {"state": [], "history": [], "signal": "", "sale": ""}
BESIDE: tuple[tuple[str, dict[str, object]], ...] = (
    ("status.html", {"message": "T", "on_centre": False, "back": None}),
    ("status.html", {"message": "T", "on_centre": True, "back": "/"}),
    ("again.html", {"why": "changed", "change": "T", "services": ["T"]}),
    ("again.html", {"why": "changed", "change": None, "services": []}),
    ("again.html", {"why": "expired", "change": None, "services": []}),
    ("_problem.html", {"problem": PROBLEM}),
    ("_problem.html", {"problem": LEAST_PROBLEM}),
    ("error.html", {"problem": PROBLEM}),
    ("error.html", {"problem": LEAST_PROBLEM}),
    ("error.html", {"problem": STAYING_OFF}),
    ("required.html", {"needed": [NEEDED], "href": "/"}),
    ("_declaration.html", {}),
    ("declaration.html", {"current": True, "revisions": [REVISION]}),
    ("declaration.html", {"current": False, "revisions": [REVISION, REVISION]}),
    ("shown.html", {"src": "/"}),
    ("unreadable.html", {"title": "shown.title", "again": "/"}),
    ("mine.html", MINE),
    ("mine.html", {**MINE, "asking": None, "history": []}),
    ("mine.html", {**MINE, "unreadable": True, "checked": VALID}),
    ("mine.html", {**LEAST_MINE, "checked": VALID | {"says": {**ENTRY, "erased": True}}}),
    ("mine.html", {**LEAST_MINE, "checked": WORTHLESS}),
    ("mine.html", LEAST_MINE),
    ("receipt.html", RECEIPT),
    ("receipt.html", {**RECEIPT, "said": {"kind": "given", "iso": "T", "time": "T", "erased": True}}),
    ("receipt.html", {**LEAST_RECEIPT, "why": "waiting"}),
    ("receipt.html", {**LEAST_RECEIPT, "why": "unable"}),
    ("erase.html", {"step": "T", "unable": False, "withdraws": True}),
    ("erase.html", {"step": "T", "unable": True, "withdraws": False}),
    ("erased.html", {}),
)
"""The other templates that stand on a page with the notice, or are a page of ours."""
EMBED: dict[str, object] = {"anchor": "T", "title": "T", "provider": "T", "cached": False}
PLACEHOLDERS = (
    EMBED | {"data": "T", "why": None, "shape": (16, 9), "choose": "/", "dialog": True},
    EMBED | {"data": "T", "why": None, "cached": True, "shape": None, "choose": "/", "dialog": True},
    EMBED | {"data": "T", "why": "opted_out", "shape": None, "choose": "/", "dialog": False},
    EMBED | {"data": "", "why": "marked", "shape": None, "choose": None, "dialog": False},
)
#: The row of buttons in a placeholder, which no site can change, and what it is made of.
WAYS = "embed/ways.html"
WAYS_SAMPLE = {
    "key": "t",
    "once": "T",
    "always": True,
    "notice": "T",
    "next": "/",
    "src": "/",
    "provider": "T",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One rendered notice. *body* are the stored bytes, *hash* their SHA-256 in hex."""

    hash: str
    body: bytes
    language: str
    profile: str
    banner: Markup
    """The banner as served."""
    form: Markup
    """The preference centre's form as served to someone who hasn't answered."""
    controls: Mapping[str, str]
    """Its controls as the templates write their start tags, each by the answer that it gives."""

    def marked(self, answers: Iterable[str]) -> Markup:
        """The form with each of *answers* marked: ``category.<key>=yes|no|some`` or ``service.<key>=yes``."""
        html = str(self.form)
        for answer in answers:
            if tag := self.controls.get(answer):
                html = html.replace(tag, f"{tag[:-1]} checked>")
        return Markup(html)


def marks(policy: Policy, decision: Decision | None) -> list[str]:
    """The answers of *decision* as the form names them, for :meth:`Notice.marked` (UI-09)."""
    answers: list[str] = []
    for category in policy.optional_categories:
        services = policy.services_in(category.key)
        given = {s.key: decision.answer_to(policy.terms[s.key]) if decision else None for s in services}
        ordinary = {given[s.key] for s in services if not s.special_category}
        special = {given[s.key] for s in services if s.special_category}
        if set(given.values()) == {"refused"}:
            answers.append(f"category.{category.key}=no")
        elif ordinary == {"granted"} and special <= {"refused"}:
            answers.append(f"category.{category.key}=yes")
        elif "granted" in given.values():
            answers.append(f"category.{category.key}=some")
            answers += [f"service.{key}=yes" for key, answer in given.items() if answer == "granted"]
    return answers


@dataclass(slots=True, kw_only=True)
class Notices:
    """All notices of one app's policy; rendered when first needed."""

    policy: Policy
    environment: Environment
    prefix: str
    privacy_policy: str | None = None
    placement: str = "bottom"
    known: dict[tuple[str, str, str], Notice] = field(default_factory=dict)
    by_hash: dict[str, Notice] = field(default_factory=dict)

    def get(self, language: str, profile: str, mount: str = "") -> Notice:
        """The notice in *language* for *profile*, its links below the path *mount* (WSGI's ``SCRIPT_NAME``)."""
        key = (language, profile, mount)
        if key not in self.known:
            if len(self.known) >= MOST_NOTICES:
                self.known.clear()
                self.by_hash.clear()
            self.known[key] = notice = self.render(catalogue(language), profile, mount)
            self.by_hash[notice.hash] = notice
        return self.known[key]

    def render(self, words: Catalogue, profile: str, mount: str) -> Notice:
        """Render the notice; ConfigurationError when a site's template breaks it or weakens its buttons."""
        base = mount + self.prefix
        around = surroundings(
            words,
            controller=self.policy.controller.name,
            urls=addresses(base, self.privacy_policy),
            placement=self.placement,
            choices_link=link_words(self.policy, profile),
        )
        context = {**around, **self.asking(words), "profile": profile}
        banner, _ = self.part("banner.html", "_banner_buttons.html", "buttons", context, base)
        form, controls = self.part("centre.html", "_centre_buttons.html", "save_row", context, base)
        body = f"{banner}\n{form}".encode()
        digest = hashlib.sha256(body).hexdigest()
        filled = f'name="notice" value="{digest}"'
        notice = Notice(
            hash=digest,
            body=body,
            language=words.tag,
            profile=profile,
            banner=Markup(banner.replace(EMPTY, filled)),
            form=Markup(form.replace(EMPTY, filled)),
            controls={f"{control.name}={control.value}": tag for control, tag in controls.items()},
        )
        if self.environment is not ENVIRONMENT:  # ours alone are checked by our tests
            self.check_around(notice, {**around, "declaration": Declaration.of(self.policy, words)}, base)
        return notice

    def check_around(self, notice: Notice, around: Mapping[str, object], base: str) -> None:
        """ConfigurationError when a template around *notice* hides it, changes it or answers in its place (UI-11)."""
        status = Markup(self.rendered("status.html", {**around, **BESIDE[0][1]}))
        again = Markup()
        for name, given in BESIDE:
            html = self.rendered(name, {**around, "status": status, **given})
            withdraw = [buttons.WITHDRAW] if given.get("subject") else []
            buttons.check(f"templates/consent/{name}", html, {}, withdraw, action=base if withdraw else None)
            if name == "again.html":
                again += Markup(html)
        moments: tuple[dict[str, object], ...] = (
            {"status": status, "again": ""},
            {"status": status, "again": again, "next": "/", "problem": PROBLEM, "receipt": "/"},
        )
        for name, dialog, pieces in (
            ("dialog.html", "centre", {"centre": notice.form}),
            ("ask.html", "centre", {"banner": notice.banner, "centre": notice.form}),
            ("choices.html", None, {"centre": notice.form}),
        ):
            for moment in moments:
                html = self.rendered(name, {**around, **moment, **pieces})
                buttons.check(f"templates/consent/{name}", html, pieces, dialog=dialog)
        row = {
            "ways": Markup(
                narrowed(
                    ENVIRONMENT.get_template(f"consent/{WAYS}").render({**around, **WAYS_SAMPLE}).strip()
                )
            )
        }
        for given in PLACEHOLDERS:
            html = self.rendered("placeholder.html", {**around, **given, **row})
            buttons.check("templates/consent/placeholder.html", html, row)

    def asking(self, words: Catalogue) -> dict[str, object]:
        """The policy's categories as the notice's templates see them."""
        everything = declared(self.policy, words)
        optional = [category for category in everything if not category.always_on]
        return {
            "always_on": [category for category in everything if category.always_on],
            "optional": optional,
            "categories": optional,
        }

    def part(
        self, name: str, own: str, slot: str, context: Mapping[str, object], base: str
    ) -> tuple[str, dict[buttons.Control, str]]:
        """One template of the notice, and its controls' start tags.

        No site can change the row of buttons in it, which is in *own* (UI-11).
        """
        row = Markup(narrowed(ENVIRONMENT.get_template(f"consent/{own}").render(context).strip()))
        field_ = Markup(f'<input type="hidden" {EMPTY} data-policy="{self.policy.digest}">')
        html = self.rendered(name, {**context, slot: row, "notice_field": field_})
        controls = buttons.of_centre(self.asked()) if slot == "save_row" else ()
        pieces = {slot: str(row), "notice_field": str(field_)}
        return html, buttons.check(f"templates/consent/{name}", html, pieces, controls, action=base)

    def rendered(self, name: str, context: Mapping[str, object]) -> str:
        """The HTML of one template, the site's or ours; ConfigurationError when there is none to be had."""
        try:
            return narrowed(self.environment.get_template(f"consent/{name}").render(context).strip())
        except TemplateError as error:
            raise ConfigurationError(f"templates/consent/{name} can't be rendered: {error}") from error

    def asked(self) -> dict[str, list[str]]:
        """What visitors are asked about: the keys of the optional categories and of their services."""
        policy = self.policy
        return {c.key: [s.key for s in policy.services_in(c.key)] for c in policy.optional_categories}


def narrowed(html: str) -> str:
    """*html* as a browser reads it all the same, its typographic marks written as character references."""
    return html if RAW.search(html) else html.translate(NARROW)


def link_words(policy: Policy, profile: str) -> str:
    """The message id of the words of the link at the foot of every page (CA-01)."""
    sells = any(service.sells_or_shares for service in policy.optional_services)
    return "link.your_choices" if sells and PROFILES[profile].choices_link else "link.choices"


def addresses(base: str, privacy_policy: str | None) -> dict[str, str | None]:
    """The addresses of our pages below the path *base*, and of the site's privacy policy."""
    return {
        "centre": base,
        "mine": f"{base}/mine",
        "erase": f"{base}/mine/erase",
        "declaration": f"{base}/declaration",
        "policy": privacy_policy,
    }


def surroundings(
    words: Catalogue, *, controller: str, urls: Mapping[str, str | None], placement: str, choices_link: str
) -> dict[str, object]:
    """What all our templates see: words, language, the site's name, addresses, where it puts the banner, and the
    message id of what it calls the link to the choices."""
    return {
        "_": words.gettext,
        "ngettext": words.ngettext,
        "sentences": words.sentences,
        "lang": words.tag,
        "dir": words.direction,
        "controller": controller,
        "urls": urls,
        "placement": placement,
        "choices_link": choices_link,
    }


def _environment(loader: BaseLoader) -> Environment:
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


#: Of our templates alone.
ENVIRONMENT = _environment(FileSystemLoader(TEMPLATES))


def environment(host: BaseLoader | None) -> Environment:
    """A Jinja environment of the notice's own: the host's ``templates/consent/…`` first, then ours.

    Where the host has none of them it is that of all such apps, which may have compiled ours already.
    """
    ours = ENVIRONMENT.loader
    if host is None or ours is None or not any(_has(host, name) for name in ENVIRONMENT.list_templates()):
        return ENVIRONMENT
    return _environment(ChoiceLoader([host, ours]))


def _has(loader: BaseLoader, name: str) -> bool:
    try:
        loader.get_source(ENVIRONMENT, name)
    except TemplateNotFound:
        return False
    return True

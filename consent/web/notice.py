"""The notice: the HTML of banner and preference centre, rendered once and kept by its hash.

It is rendered for each policy digest, language, profile and mount point, and contains nothing from the
request. Stored and hashed are those bytes with the hash field empty and nothing marked; served are the
same bytes with the hash filled in and, for someone who has answered, their answers marked (REC-02).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, TemplateError
from markupsafe import Markup, escape

from consent.decision import Decision
from consent.errors import ConfigurationError
from consent.policy import Policy
from consent.web import buttons
from consent.web.assets import ROOT
from consent.web.declaration import declared
from consent.web.language import Catalogue, catalogue

TEMPLATES = ROOT / "templates"
EMPTY = 'name="notice" value=""'
#: What a stored notice says of its policy, so that a form filled in days ago is judged by what it showed.
POLICY_OF = re.compile(rb'name="notice" value="" data-policy="([0-9a-f]{64})"')
LANGUAGE_OF = re.compile(rb'<form class="pc pc-centre"[^>]* lang="([A-Za-z0-9-]+)"')
#: Mount points and profiles are few; the bound only keeps a misconfigured proxy from filling the memory.
MOST_NOTICES = 512


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

    def marked(self, answers: Iterable[str]) -> Markup:
        """The form with each of *answers* marked: ``category.<key>=yes|no|some`` or ``service.<key>=yes``."""
        html = str(self.form)
        for answer in answers:
            name, _, value = answer.partition("=")
            control = f'name="{escape(name)}" value="{escape(value)}"'
            html = html.replace(control, f"{control} checked")
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
        context = self.context(words, profile, mount)
        banner = self.part("banner.html", "_banner_buttons.html", "buttons", context)
        form = self.part("centre.html", "_centre_buttons.html", "save_row", context)
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
        )
        self.require_whole("ask.html", "banner", notice.banner, context)
        self.require_whole("ask.html", "centre", notice.form, context)
        self.require_whole("choices.html", "centre", notice.form, context)
        return notice

    def require_whole(self, name: str, slot: str, part: Markup, context: Mapping[str, object]) -> None:
        """ConfigurationError unless the template around the notice shows *part* once and as it is (UI-11)."""
        try:
            html = self.environment.get_template(f"consent/{name}").render({**context, slot: part})
        except TemplateError as error:
            raise ConfigurationError(f"templates/consent/{name} can't be rendered: {error}") from error
        if html.count(part) != 1:
            raise ConfigurationError(
                f"templates/consent/{name} shows {{{{ {slot} }}}} {html.count(part)} times; expected once, "
                "unaltered. What is recorded as shown must be what is shown: put it back as it is."
            )

    def context(self, words: Catalogue, profile: str, mount: str) -> dict[str, object]:
        """What the notice's templates see; nothing of it comes from a request."""
        everything = declared(self.policy, words)
        return {
            **surroundings(
                words,
                controller=self.policy.controller.name,
                urls=addresses(mount + self.prefix, self.privacy_policy),
            ),
            "always_on": [c for c in everything if c.always_on],
            "optional": [c for c in everything if not c.always_on],
            "categories": [c for c in everything if not c.always_on],
            "profile": profile,
        }

    def part(self, name: str, own: str, slot: str, context: Mapping[str, object]) -> str:
        """One template of the notice, with the row of buttons in *own*, which no site can change (UI-11)."""
        row = Markup(ENVIRONMENT.get_template(f"consent/{own}").render(context).strip())
        field_ = Markup(f'<input type="hidden" {EMPTY} data-policy="{self.policy.digest}">')
        try:
            template = self.environment.get_template(f"consent/{name}")
            html = template.render({**context, slot: row, "notice_field": field_}).strip()
        except TemplateError as error:
            raise ConfigurationError(f"templates/consent/{name} can't be rendered: {error}") from error
        controls = buttons.of_centre(self.asked()) if slot == "save_row" else ()
        pieces = {slot: str(row), "notice_field": str(field_)}
        buttons.check(f"templates/consent/{name}", html, pieces, controls)
        return html

    def asked(self) -> dict[str, list[str]]:
        """What visitors are asked about: the keys of the optional categories and of their services."""
        policy = self.policy
        return {c.key: [s.key for s in policy.services_in(c.key)] for c in policy.optional_categories}


def addresses(base: str, privacy_policy: str | None) -> dict[str, str | None]:
    """The addresses of our pages below the path *base*, and of the site's privacy policy."""
    return {
        "centre": base,
        "mine": f"{base}/mine",
        "declaration": f"{base}/declaration",
        "policy": privacy_policy,
    }


def surroundings(words: Catalogue, *, controller: str, urls: Mapping[str, str | None]) -> dict[str, object]:
    """What all our templates see: words, language, the site's name and addresses."""
    return {
        "_": words.gettext,
        "ngettext": words.ngettext,
        "lang": words.tag,
        "dir": words.direction,
        "controller": controller,
        "urls": urls,
    }


def environment(host: BaseLoader | None) -> Environment:
    """A Jinja environment of the notice's own: the host's ``templates/consent/…`` first, then ours."""
    ours = FileSystemLoader(TEMPLATES)
    return Environment(
        loader=ChoiceLoader([host, ours]) if host else ours,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


ENVIRONMENT = environment(None)

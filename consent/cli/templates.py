"""What a site's template files say, read without rendering them: keys, inert markup, and fields that ask who one is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from flask import Flask
from jinja2 import TemplateError, nodes

from consent.cli.unscripted import address_of, hidden, origin_of
from consent.errors import Fault, did_you_mean
from consent.policy import Policy
from consent.web.source import letting_in, source

#: Functions of our markup whose first argument is a key.
KEYED = frozenset({"consent_block", "consent_script", "consent_embed", "consent_pixel"})
#: Stands for what a template works out. No file can hold it as text that means anything.
WORKED_OUT: Final = "\x1a"
#: What waits in inert markup, and what it becomes.
WAITING: Final = {"data-src": "src", "data-srcset": "srcset", "data-href": "href"}
#: Referrer policies by which other sites are told the whole address (HTML §4.2.5.1).
TELLING: Final = frozenset({"unsafe-url", "no-referrer-when-downgrade", "always"})
#: What a field may ask for that says who somebody is (HTML §4.10.18.7.1).
PERSONAL: Final = frozenset(
    re.findall(
        r"[\w-]+",
        "username current-password new-password one-time-code name given-name family-name email tel bday sex "
        "street-address address-line1 postal-code cc-name cc-number cc-exp cc-csc",
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a template."""

    line: int
    within_if: bool
    problem: str
    fix: str
    wrong: bool = True
    """Whether it can't be meant; else it is worth a look."""


def template_faults(app: Flask, policy: Policy) -> Iterator[Fault]:
    """What cannot be meant in the templates of *app* under *policy*."""
    yield from faults_in(app, policy, wrong=True)


def template_advice(app: Flask, policy: Policy) -> Iterator[Fault]:
    """What may be meant there. An ``{% if %}`` may wait for the next revision, so unknown keys in it are among it."""
    yield from faults_in(app, policy, wrong=False)


def faults_in(app: Flask, policy: Policy, *, wrong: bool) -> Iterator[Fault]:
    """What is found in the app's templates, of one of the two kinds, each with its template and line."""
    for name in sorted(set(app.jinja_env.list_templates())):
        for found in [*keys_called(app, name, policy), *read(app, name, policy).found]:
            if (found.wrong and not found.within_if) is wrong:
                yield Fault(f"template {name}, line {found.line}", found.problem, found.fix)


def source_of(app: Flask, name: str) -> str:
    """The text of the template *name*; empty for what is none."""
    environment = app.jinja_env
    try:
        return environment.loader.get_source(environment, name)[0] if environment.loader else ""
    except (TemplateError, UnicodeDecodeError):
        return ""  # not ours to judge: the site will find out when it renders it


def keys_called(app: Flask, name: str, policy: Policy) -> Iterator[Found]:
    """Keys that the template *name* writes out in calls to our markup and *policy* doesn't have."""
    source = source_of(app, name)
    try:
        tree = app.jinja_env.parse(source if "consent_" in source else "")
    except TemplateError:
        return
    within_if = {id(call) for branch in tree.find_all(nodes.If) for call in branch.find_all(nodes.Call)}
    for call in tree.find_all(nodes.Call):
        first = call.args[0] if call.args else None
        named = isinstance(call.node, nodes.Name) and call.node.name in KEYED
        if named and isinstance(first, nodes.Const) and (problem := unknown_key(str(first.value), policy)):
            yield Found(call.lineno, id(call) in within_if, *problem)


def unknown_key(key: str, policy: Policy) -> tuple[str, str] | None:
    """What is wrong with *key*, and the fix; None when *policy* has it."""
    known = {category.key for category in policy.categories} | set(policy.terms)
    known |= {carrier.key for carrier in policy.carriers}
    if key in known:
        return None
    fix = did_you_mean(key, known) or f"There are: {', '.join(sorted(known))}."
    return f'"{key}" is no category, service or carrier of the policy', fix


def read(app: Flask, name: str, policy: Policy) -> "Reading":
    """The template *name* as the HTML that it is between its tags."""
    reading = Reading(policy)
    source = source_of(app, name)
    if "<" not in source:
        return reading
    try:
        for _, kind, text in app.jinja_env.lexer.tokeniter(source, name):
            reading.take(kind, text)
    except TemplateError:
        return Reading(policy)
    reading.close()
    return reading


class Reading(HTMLParser):
    """What stands in one template: *found*, and where its first field is that asks who one is."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.found: list[Found] = []
        self.field: int | None = None
        self.branches = 0
        self.unscripted = 0
        self.called = 0
        self.begun = ""
        self.posting = False

    def take(self, kind: str, text: str) -> None:
        """One token of the template. What is no HTML leaves its line breaks, so that lines can be counted."""
        if kind == "data":
            self.feed(text)
            return
        if kind == "block_begin":
            self.begun = ""
        elif kind == "name" and not self.begun:
            self.begun = text
            self.branches += {"if": 1, "endif": -1}.get(text, 0)
            self.called += {"call": 1, "endcall": -1}.get(text, 0)
        elif kind == "name" and self.unscripted and text in KEYED:
            problem = (
                f"{text} within <noscript> is for browsers without JavaScript only, and dead from a cache"
            )
            self.note(problem, "Take it out of <noscript>.", wrong=False)
        if kind == "variable_begin":
            self.feed(WORKED_OUT)
            self.begun = "variable"
        self.feed("\n" * text.count("\n"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Judge one element."""
        said = {name: value or "" for name, value in attrs}
        if tag == "noscript":
            self.unscripted += 1
        elif tag == "form":
            self.posting = said.get("method", "").lower() == "post"
        elif tag == "meta" and said.get("http-equiv", "").lower() == "content-security-policy":
            self.note(
                "a security policy in a <meta> is not edited by what may run, so it lets in what may not, "
                "or keeps out what may",
                "Send it as a header.",
                wrong=False,
            )
        elif tag == "meta" and said.get("name", "").lower() == "referrer":
            if said.get("content", "").strip().lower() in TELLING:
                self.note(
                    "a referrer policy in a <meta> stands over the header, so a marked page tells others its address",
                    "Send it as a header: marked pages have their own.",
                    wrong=False,
                )
        elif tag in ("input", "select", "textarea") and self.asks_who(said):
            self.field = self.field or self.getpos()[0]
        if self.unscripted:
            self.loads_unscripted(tag, said)
        if "data-service" in said or "data-category" in said:
            self.inert(tag, said)

    def loads_unscripted(self, tag: str, said: dict[str, str]) -> None:
        """Judge what browsers without JavaScript would load from another site, unasked (ENF-07).

        Within a ``call`` it may wait for an answer, and what isn't hidden may be a picture of the site's.
        """
        address = address_of(tag, said)
        origin = origin_of(address, self.policy.controller.site)
        if origin is None or WORKED_OUT in origin:
            return
        optional = {service.key for service in self.policy.optional_services}
        known = letting_in(origin)
        owners = [
            service.key
            for service in self.policy.services
            if any(source(each).text in known for _, origins in service.origins for each in origins)
        ]
        if owners and optional.isdisjoint(owners):
            return
        whose = f', of the service "{owners[0]}",' if owners else ""
        self.note(
            f"browsers without JavaScript load {address[:100]}{whose} whatever its visitor has answered",
            "Take it out of <noscript>; consent_pixel and consent_embed ask first, and need no JavaScript.",
            wrong=not self.called and (bool(owners) or hidden(tag, said)),
        )

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if tag == "noscript":
            self.unscripted = max(0, self.unscripted - 1)
        elif tag == "form":
            self.posting = False

    def asks_who(self, said: dict[str, str]) -> bool:
        """Whether a field asks for a password or, in a form that is posted, for something of a person."""
        kind = said.get("type", "").lower()
        asked = {kind, *said.get("autocomplete", "").lower().split()}
        return kind == "password" or (self.posting and not asked.isdisjoint(PERSONAL))

    def inert(self, tag: str, said: dict[str, str]) -> None:
        """Judge an element that waits for its service; others may call something else of theirs a category."""
        waits = WAITING.keys() & said.keys()
        script = tag == "script" and said.get("type", "").lower() == "text/plain"
        if not (script or waits or tag == "template"):
            return
        for key in (said.get("data-service"), said.get("data-category")):
            if key and WORKED_OUT not in key and (unknown := unknown_key(key, self.policy)):
                self.note(f"{unknown[0]}, so this never comes to life", unknown[1])
        if script and "src" in said:
            problem = "a script of type text/plain has no src, by the rules of HTML"
            self.note(problem, "Write data-src instead.", wrong=False)
        for name in sorted(waits):
            now = said.get(WAITING[name], "")
            if now.startswith(("http:", "https:", "//")) and not script:
                self.note(
                    f"its {WAITING[name]} is loaded at once, whatever {name} waits for",
                    f"Remove {WAITING[name]}" + ('; an img has src="data:,".' if tag == "img" else "."),
                )
        if self.unscripted:
            self.note(
                "nothing brings it to life within <noscript>, and its src, if it has one, is loaded unasked",
                "Take it out of <noscript>.",
            )

    def note(self, problem: str, fix: str, *, wrong: bool = True) -> None:
        """Something was found at the element that is being read."""
        self.found.append(Found(self.getpos()[0], self.branches > 0, problem, fix, wrong))

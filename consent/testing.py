"""For a site's own tests: a client whose visitor has answered already.

::

    app.test_client_class = ConsentClient
    client = app.test_client(grant={"statistics"})

or, with pytest, ``pytest_plugins = ["consent.testing"]`` and the fixture ``consent_client``, which takes
the site's own ``app`` fixture. And at the end of a test that has visited some pages, or visits them itself::

    assert_nothing_undeclared(app, "/", "/contact")
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from werkzeug.wsgi import get_host

from consent.decision import Answer, decide
from consent.errors import Fault
from consent.policy import Policy
from consent.web.findings import OF_COOKIES
from consent.web.setcookie import SetCookie
from consent.web.site import Site

try:
    import pytest
except ModuleNotFoundError:  # A site may test with unittest.
    pytest = None  # type: ignore[assignment]


class ConsentClient(FlaskClient):
    """A Flask test client whose browser holds an answer: *grant* names what was allowed, all else was refused.

    The browser holds it for every host that it calls. Categories stand for their services. Without *grant*
    and *refuse* the visitor hasn't answered; ``refuse=True`` refuses everything. LookupError for a
    key that the policy doesn't have, TypeError for a text that stands alone, ValueError for *grant* beside *refuse*.
    """

    def __init__(self, *args: Any, grant: Iterable[str] = (), refuse: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answers: dict[bool, str] = {}
        self._hosts: set[str] = set()
        keys = listed(grant)
        if keys and refuse:
            raise ValueError(
                f"grant={set(keys)} and refuse=True contradict each other; expected one of them. "
                "With grant alone all else is refused."
            )
        if keys or refuse:
            self.answer(keys)

    def answer(self, grant: Iterable[str]) -> None:
        """From now on the visitor's answer is: *grant*, and no to everything else."""
        site: Site = self.application.extensions["consent"]
        granted = services(site.policy, listed(grant))
        optional = frozenset(service.key for service in site.policy.optional_services)
        decision = decide(
            site.policy,
            Answer(granted=granted, refused=optional - granted),
            before=None,
            now=int(site.clock()),
            profile="default",
            source="centre",
            new_subject=uuid.uuid4(),
        )
        self._answers = {secure: site.codec.encode(decision) for secure in (False, True)}
        self._hosts.clear()
        self._hold("localhost")

    def run_wsgi_app(self, environ: dict[str, Any], buffered: bool = False) -> Any:
        """Call the app, redirects too; a host that is called for the first time gets the answer first."""
        if self._answers:
            self._hold(urlsplit(f"//{get_host(environ)}").hostname or "localhost")
        return super().run_wsgi_app(environ, buffered)

    def _hold(self, host: str) -> None:
        """Hold the answer for *host*, once: what the site itself sets or deletes there later is left alone."""
        if host in self._hosts:
            return
        self._hosts.add(host)
        settings = self.application.extensions["consent"].settings
        shared = settings.cookie_domain
        wide = bool(shared) and (host == shared or host.endswith(f".{shared}"))
        for secure, value in self._answers.items():
            self.set_cookie(
                settings.cookie(secure=secure),
                value,
                domain=shared if wide else host,
                origin_only=not wide,
                secure=secure,
            )


def assert_nothing_undeclared(app: Flask, *paths: str) -> None:
    """AssertionError naming each cookie that *app* has set and no service declares, or that isn't as declared.

    It counts all responses of *app* so far. *paths* are visited first, by somebody who granted everything; of their
    responses also what a middleware around the gate sets, which nothing keeps back.
    """
    site: Site = app.extensions["consent"]
    everything = {service.key for service in site.policy.optional_services}
    client = ConsentClient(app, app.response_class, grant=everything)
    around: list[Fault] = []
    for path in paths:
        response = client.get(path, follow_redirects=True)
        with response:
            if response.status_code >= 400:
                raise AssertionError(f"{path} answers {response.status_code}; expected a page to look at")
            for each in (*response.history, response):
                around += set_around(site, each)
    if found := [*site.findings.about(*OF_COOKIES), *dict.fromkeys(around)]:
        raise AssertionError("\n".join(str(fault) for fault in found))


def set_around(site: Site, response: TestResponse) -> Iterator[Fault]:
    """The undeclared cookies of *response* that didn't pass the gate of *site*, which would have noted them."""
    noted = {item for about, item, _ in site.findings.known if about == "undeclared"}
    noted.update(*site.own_cookies.values())
    for value in response.headers.getlist("Set-Cookie"):
        cookie = SetCookie.read(value, now=site.clock())
        if cookie is None or cookie.deletes or cookie.name in noted or site.declared.of(cookie.name):
            continue
        yield Fault(
            f"cookie {cookie.name}, set on {response.request.path} by a middleware around the gate",
            f"no service of {site.settings.policy.name} declares it, and no answer keeps it back (INF-03)",
            "Declare it, and wrap app.wsgi_app in that middleware before consent.init_app(app).",
        )


def listed(grant: Iterable[str]) -> frozenset[str]:
    """The keys in *grant*; TypeError for a text, which would count as its letters."""
    if isinstance(grant, str):
        raise TypeError(f'grant is {grant!r}, a text; expected keys. Write grant={{"{grant}"}}.')
    return frozenset(grant)


def services(policy: Policy, names: Iterable[str]) -> frozenset[str]:
    """The optional services that *names*, of services and categories, stand for."""
    optional = {service.key for service in policy.optional_services}
    categories = {category.key: policy.services_in(category.key) for category in policy.optional_categories}
    found: set[str] = set()
    for name in names:
        if name not in categories and name not in optional:
            known = ", ".join(sorted(optional | categories.keys()))
            raise LookupError(f"{name!r} is nothing that a visitor could grant; there are: {known}")
        found |= {service.key for service in categories[name]} if name in categories else {name}
    return frozenset(found)


if pytest is not None:

    @pytest.fixture
    def consent_client(app: Flask) -> Callable[..., ConsentClient]:
        """Makes clients: ``consent_client(grant={"statistics"})``."""

        def make(**answer: Any) -> ConsentClient:
            return ConsentClient(app, app.response_class, **answer)

        return make

"""Who asks, as far as the site itself says: profile, age, account and language.

Each of its functions is asked once per request, so that one response goes by one answer whatever they say next, and
one that fails writes one traceback.
"""

from typing import Any, Literal

from consent.web.account import Account
from consent.web.language import Catalogue, accepted, catalogue, negotiate
from consent.web.passage import Passage
from consent.web.site import Site, asked


class Person(Passage):
    """The visitor of one request, as *site* knows them."""

    def __init__(self, site: Site, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self.site = site
        #: Whether this response depends on the language that the browser asks for.
        self.spoken = False
        self._profile: str | None = None
        self._minor: bool | None = None
        self._account: Account | Literal[False] | None = False
        self._language: str | None = None

    @property
    def profile(self) -> str:
        """Name of the profile that holds for this request."""
        if self._profile is None:
            self._profile = self.site.profile()
        return self._profile

    @property
    def minor(self) -> bool:
        """Whether the site says that the visitor is a child (CH-01)."""
        if self._minor is None:
            self._minor = self.site.minor()
        return self._minor

    @property
    def account(self) -> Account | None:
        """The account that the visitor is signed in to; None when there is none, or when nothing sells or shares."""
        if self._account is False:
            site, who = self.site, self.site.settings.account
            self._account = site.accounts.of(who) if who and site.accounts else None
        return self._account

    @property
    def opted_out(self) -> bool:
        """Whether the account that the visitor is signed in to is opted out of sale and sharing (GPC-09)."""
        account = self.account
        return account is not None and account.opted_out

    @property
    def language(self) -> str:
        """The visitor's language: the host's Flask-Babel, else the host's function, else ``Accept-Language``."""
        if self._language is None:
            self._language = self._find_language()
        return self._language

    def _find_language(self) -> str:
        site = self.site
        offered = site.languages
        if len(offered) == 1:
            return offered[0]
        if "babel" in site.app.extensions:
            from flask_babel import get_locale

            return negotiate(str(asked(get_locale, "")), offered) or offered[0]
        chosen = site.settings.languages
        if callable(chosen) and (found := negotiate(str(asked(chosen, "")), offered)):
            return found
        self.spoken = True
        return accepted(self.environ.get("HTTP_ACCEPT_LANGUAGE", ""), offered)

    @property
    def words(self) -> Catalogue:
        """The catalogue of the visitor's language."""
        return catalogue(self.language)

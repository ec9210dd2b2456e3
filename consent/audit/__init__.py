"""PROVE, to who must check: searching, reading, counting and exporting events, and the auditor's pages."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from consent.web.site import Site


def register(app: "Flask", site: "Site") -> None:
    """Add the auditor's pages to *app*. Only for a *site* with ``CONSENT_AUDITOR``: without it there are none."""
    from consent.audit.views import blueprint

    app.register_blueprint(blueprint, url_prefix=f"{site.settings.url_prefix}/audit")

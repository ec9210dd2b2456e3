"""The page that shows what the third party's server was asked for, so that anybody can check the promise."""

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from consent import current_consent
from demo_site.looptally.log import RequestLog

blueprint = Blueprint("witness", __name__)

SHOWN = 50

#: Service → what it brings from the third party.
PARTS = {"reach": "its web beacon", "videos": "its films"}


class ClearForm(FlaskForm):
    """A button with a token."""


@blueprint.get("/what-the-third-party-saw")
def requests() -> str:
    """The newest requests that reached the third party, from its own log."""
    log = RequestLog(current_app.config["DEMO"].third_party_log)
    return render_template(
        "site/witness.html",
        requests=log.newest(SHOWN),
        count=log.count(),
        form=ClearForm(),
        allowed=[what for key, what in PARTS.items() if current_consent.allows(key)],
    )


@blueprint.post("/what-the-third-party-saw")
def clear() -> ResponseReturnValue:
    """Empties the third party's log, to watch from the start again."""
    RequestLog(current_app.config["DEMO"].third_party_log).clear()
    return redirect(url_for("witness.requests"), 303)

"""The auditor's desk, from which the way leads to the consent component's own pages."""

from flask import Blueprint, current_app, render_template

from demo_site.account import user
from demo_site.database import AUDITOR_ACCOUNT
from demo_site.extensions import consent

blueprint = Blueprint("auditor", __name__)
consent.sensitive(blueprint)


def who() -> str | None:
    """The auditor's name in the consent log, or None for everybody else, signed in or not."""
    found = user()
    return found.audit_id if found else None


def log_url() -> str:
    """Where the component's pages for auditors begin."""
    return f"{current_app.config.get('CONSENT_URL_PREFIX', '/privacy-choices')}/audit/"


@blueprint.get("/auditor")
def desk() -> str:
    """The way to the log for an auditor, and to the sign-in for anybody else."""
    return render_template(
        "site/auditor.html",
        log_url=log_url(),
        auditor_account=AUDITOR_ACCOUNT,
    )

"""The auditor's sign-in. The pages behind it are the consent component's."""

import hmac
import time

from flask import Blueprint, current_app, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import InputRequired

from demo_site.account import begin
from demo_site.extensions import consent

blueprint = Blueprint("auditor", __name__)
consent.sensitive(blueprint)

#: What the consent log calls whoever signs in here: a name for the role, not for a person.
AUDITOR = "auditor-1"


class AuditorForm(FlaskForm):
    """The password that the demo printed when it started."""

    password = PasswordField(validators=[InputRequired("signin.password_missing")])


def who() -> str | None:
    """The auditor's name in the consent log, or None for everybody else."""
    return AUDITOR if session.get("auditor") == AUDITOR else None


def log_url() -> str:
    """Where the component's pages for auditors begin."""
    return f"{current_app.config.get('CONSENT_URL_PREFIX', '/privacy-choices')}/audit/"


@blueprint.route("/auditor", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The sign-in form, or the way to the log for whoever is signed in."""
    form = AuditorForm()
    if who() or not form.validate_on_submit():
        return render_template("site/auditor.html", form=form, who=who(), log_url=log_url())
    throttle = current_app.config["DEMO_THROTTLE"]
    if throttle.refuses(AUDITOR, time.monotonic()):
        return render_template("site/auditor.html", form=form, problem="signin.throttled"), 429
    password: str = current_app.config["DEMO"].auditor_password
    if not hmac.compare_digest((form.password.data or "").encode(), password.encode()):
        throttle.failed(AUDITOR, time.monotonic())
        return render_template("site/auditor.html", form=form, problem="signin.wrong_password"), 401
    begin(auditor=AUDITOR)
    return redirect(url_for("auditor.sign_in"), 303)

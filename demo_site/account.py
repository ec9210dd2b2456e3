"""Signing in to the payment portal, and out again."""

import time
from functools import cache

from flask import Blueprint, current_app, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.security import check_password_hash, generate_password_hash
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from demo_site.database import DEMO_ACCOUNT, DEMO_PASSWORD, current_database
from demo_site.extensions import consent
from demo_site.preferences import remember_name, remembered_name

blueprint = Blueprint("account", __name__)
consent.sensitive(blueprint)


class SignInForm(FlaskForm):
    """Name and password."""

    name = StringField(validators=[InputRequired("signin.name_missing")])
    password = PasswordField(validators=[InputRequired("signin.password_missing")])


class SignOutForm(FlaskForm):
    """A button with a token."""


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The sign-in form; after a match, the portal. Wrong entries are judged alike, whether the name exists or not."""
    form = SignInForm(data={"name": remembered_name()})
    if not form.validate_on_submit():
        return sign_in_page(form), 400 if form.is_submitted() else 200
    name, password = form.name.data or "", form.password.data or ""
    throttle, key = current_app.config["DEMO_THROTTLE"], f"account {name[:64]}"
    if throttle.refuses(key, time.monotonic()):
        return sign_in_page(form, "signin.throttled"), 429
    if not password_matches(name, password):
        throttle.failed(key, time.monotonic())
        return sign_in_page(form, "signin.wrong"), 401
    begin(account=name)
    response = redirect(url_for("portal.invoices"), 303)
    remember_name(response, name)
    return response


def sign_in_page(form: SignInForm, problem: str = "") -> str:
    """The form with what went wrong."""
    return render_template(
        "site/sign_in.html",
        form=form,
        problem=problem,
        remembered=bool(remembered_name()),
        demo_account=DEMO_ACCOUNT,
        demo_password=DEMO_PASSWORD,
    )


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Ends the visit to the portal."""
    begin()
    flash("signin.out")
    return redirect(url_for("account.sign_in"), 303)


def password_matches(name: str, password: str) -> bool:
    """Whether *password* is that of the account *name*; as slow for a name that does not exist."""
    row = current_database().execute("SELECT password FROM account WHERE name = ?", (name,)).fetchone()
    return check_password_hash(row["password"] if row else nobodys_password(), password) and row is not None


@cache
def nobodys_password() -> str:
    """A hash that costs as much to check as a real one."""
    return generate_password_hash("")


def signed_in() -> str | None:
    """The account of the visitor, who has signed in to the portal; None for anybody else."""
    name: str | None = session.get("account")
    return name


def begin(**who: str) -> None:
    """Starts the session anew for *who*, so that nothing set before signing in stays, but the language."""
    language = session.get("language")
    session.clear()
    session.update({"language": language} if language else {}, **who)

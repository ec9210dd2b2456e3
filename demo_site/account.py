"""Signing in, to the payment portal or as an auditor, and out again."""

import time
from dataclasses import dataclass
from functools import cache

from flask import Blueprint, current_app, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import UserMixin, current_user, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.security import check_password_hash, generate_password_hash
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from demo_site.database import DEMO_ACCOUNT, DEMO_PASSWORD, current_database
from demo_site.extensions import consent, login
from demo_site.preferences import remember_name, remembered_name

blueprint = Blueprint("account", __name__)
consent.sensitive(blueprint)


@dataclass(frozen=True, slots=True)
class User(UserMixin):
    """Somebody who can sign in."""

    name: str
    audit_id: str | None
    """What the consent log calls an auditor: a name for the role, not for a person. None for customers."""

    def get_id(self) -> str:
        """What the session holds of whoever is signed in."""
        return self.name


class SignInForm(FlaskForm):
    """Name and password."""

    name = StringField(validators=[InputRequired("signin.name_missing")])
    password = PasswordField(validators=[InputRequired("signin.password_missing")])


class SignOutForm(FlaskForm):
    """A button with a token."""


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The sign-in form; after a match, the portal or the auditor's desk.

    Wrong entries are judged alike, whether the name exists or not.
    """
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
    begin(name)
    response = redirect(url_for("portal.invoices" if customer() else "auditor.desk"), 303)
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
    """Ends the visit."""
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


@login.user_loader
def load(name: str) -> User | None:
    """The account *name*; None when there is none."""
    query = "SELECT name, id FROM account LEFT JOIN auditor ON account = name WHERE name = ?"
    row = current_database().execute(query, (name,)).fetchone()
    return User(row["name"], row["id"]) if row else None


def user() -> User | None:
    """Whoever is signed in; None for anybody else."""
    return current_user._get_current_object() if current_user.is_authenticated else None


def customer() -> str | None:
    """The account of the customer who is signed in; None for anybody else."""
    found = user()
    return found.name if found and found.audit_id is None else None


def begin(name: str | None = None) -> None:
    """Starts the session anew for the account *name*, so that nothing set before it stays, but the language."""
    language = session.get("language")
    logout_user()
    session.clear()
    session.update({"language": language} if language else {})
    if name is not None and (new := load(name)):
        login_user(new)
        del session["_id"]  # a hash of address and browser, for the protection that is switched off

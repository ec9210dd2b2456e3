"""Writing to the company, and asking to be called back."""

import re
import secrets
from datetime import UTC, datetime

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Regexp

from demo_site import experiment
from demo_site.database import current_database
from demo_site.extensions import consent, csrf
from demo_site.fields import choice_of, name_field

blueprint = Blueprint("contact", __name__)
consent.sensitive(blueprint)
# Each form checks its token itself, so that a stale one costs nobody what they have written.
csrf.exempt(blueprint)

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\Z")
#: Seven to fifteen digits (ITU-T E.164), with the marks that people put between them.
PHONE = re.compile(r"\+?(?:[ ().\-/]*\d){7,15}[ ).]*\Z")


class ContactForm(FlaskForm):
    """A message. The names of wrong entries' texts are those of ``wording/``."""

    name = name_field()
    email = StringField(
        validators=[DataRequired("form.email_missing"), Regexp(EMAIL, message="form.email_wrong")]
    )
    topic = choice_of("invoice", "data", "other", missing="form.topic_missing")
    message = TextAreaField(
        validators=[DataRequired("form.message_missing"), Length(max=4000, message="form.message_long")]
    )


class CallBackForm(FlaskForm):
    """A telephone number, and when to call it."""

    name = name_field()
    phone = StringField(
        validators=[DataRequired("form.phone_missing"), Regexp(PHONE, message="form.phone_wrong")]
    )
    time = choice_of("morning", "midday", "afternoon", "any", missing="form.time_missing")


@blueprint.route("/contact", methods=["GET", "POST"])
def message() -> ResponseReturnValue:
    """The contact form; stores what it is sent."""
    form = ContactForm()
    if not form.validate_on_submit():
        return render_template("site/contact.html", form=form), 400 if form.is_submitted() else 200
    stored = store("message", form.name.data, form.email.data, form.topic.data, form.message.data)
    return redirect(url_for("contact.stored", reference=stored), 303)


@blueprint.route("/call-back", methods=["GET", "POST"])
def call_back() -> ResponseReturnValue:
    """The form that asks for a call; what the A/B test hopes for."""
    form = CallBackForm(data={"time": request.args.get("time")})
    if not form.validate_on_submit():
        return render_template("site/call_back.html", form=form), 400 if form.is_submitted() else 200
    stored = store("call-back", form.name.data, form.phone.data, form.time.data, "")
    response = redirect(url_for("contact.stored", reference=stored), 303)
    experiment.count_call(response)
    return response


@blueprint.get("/contact/<reference>")
def stored(reference: str) -> str:
    """Says that a message has arrived; nothing of what it says."""
    row = current_database().execute("SELECT kind FROM message WHERE reference = ?", (reference,)).fetchone()
    return render_template("site/stored.html", reference=reference, kind=row["kind"]) if row else abort(404)


@blueprint.after_request
def uncached(response: Response) -> Response:
    """Keeps what people write out of every cache."""
    response.headers["Cache-Control"] = "no-store"
    return response


def store(kind: str, *said: str | None) -> str:
    """Stores name, address, topic and text of a message, and returns its number."""
    reference = f"M-{secrets.token_hex(4).upper()}"
    current_database().execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)",
        (reference, kind, datetime.now(UTC).isoformat(timespec="seconds"), *said),
    )
    return reference

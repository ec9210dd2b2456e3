"""The payment portal: a customer's invoices, and paying them."""

import secrets
import sqlite3
from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from demo_site.account import customer
from demo_site.database import current_database
from demo_site.extensions import consent
from demo_site.fields import choice_of

blueprint = Blueprint("portal", __name__, url_prefix="/portal")
consent.sensitive(blueprint)

INVOICES = """
    SELECT number, issued, due, cents, paid, reference, method
    FROM invoice LEFT JOIN payment ON payment.invoice = invoice.number
    WHERE account = ?"""


class PaymentForm(FlaskForm):
    """How to pay one invoice."""

    method = choice_of("card", "bank", missing="form.method_missing")


@blueprint.before_request
def customers_only() -> ResponseReturnValue | None:
    """Sends whoever is not signed in as a customer to the sign-in page."""
    if customer():
        return None
    flash("signin.needed")
    return redirect(url_for("account.sign_in"), 303)


@blueprint.after_request
def uncached(response: Response) -> Response:
    """Keeps invoices out of every cache, the browser's own included."""
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/")
def invoices() -> str:
    """All invoices of the customer, the newest first."""
    rows = current_database().execute(f"{INVOICES} ORDER BY issued DESC", (customer(),)).fetchall()
    return render_template(
        "site/invoices.html", invoices=rows, open_cents=sum(row["cents"] for row in rows if not row["paid"])
    )


@blueprint.route("/invoices/<number>", methods=["GET", "POST"])
def invoice(number: str) -> ResponseReturnValue:
    """One invoice line by line, with a form to pay it while it is open."""
    found = own_invoice(number)
    form = PaymentForm()
    if form.validate_on_submit():
        flash("portal.thanks" if pay(number, form.method.data) else "portal.already")
        return redirect(url_for("portal.invoice", number=number), 303)
    lines = current_database().execute(
        "SELECT text, cents FROM line WHERE invoice = ? ORDER BY position", (number,)
    )
    return render_template("site/invoice.html", invoice=found, lines=lines.fetchall(), form=form)


def own_invoice(number: str) -> sqlite3.Row:
    """The customer's invoice *number*; 404 for anybody else's."""
    query = f"{INVOICES} AND number = ?"
    row: sqlite3.Row | None = current_database().execute(query, (customer(), number)).fetchone()
    return row or abort(404)


def pay(number: str, method: str) -> bool:
    """Records a payment; False when the invoice had been paid before."""
    reference = f"P-{secrets.randbelow(10**8):08}"
    done = current_database().execute(
        "INSERT INTO payment VALUES (?, ?, ?, ?) ON CONFLICT (invoice) DO NOTHING",
        (number, reference, method, datetime.now(UTC).date().isoformat()),
    )
    return done.rowcount == 1

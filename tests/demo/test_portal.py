"""The payment portal: essential, sensitive, and closed to everybody else."""

import pytest
from flask import Flask

from consent.testing import ConsentClient

from .browsing import rows, send, sign_in

EVERYTHING = {"functionality", "performance", "media"}


@pytest.mark.parametrize("path", ["/portal/", "/portal/invoices/LM-20418"])
def test_whoever_is_not_signed_in_is_sent_to_the_sign_in_page(visitor: ConsentClient, path: str) -> None:
    assert visitor.get(path).location == "/sign-in"
    assert "Please sign in first." in visitor.get("/sign-in").text


def test_paying_an_invoice_is_recorded_once(site: Flask, visitor: ConsentClient) -> None:
    sign_in(visitor)
    paid = "SELECT count(*) FROM payment WHERE invoice = 'LM-20418' AND method = 'bank'"
    response = send(visitor, "/portal/invoices/LM-20418", page="/portal/invoices/LM-20377", method="bank")
    assert response.location == "/portal/invoices/LM-20418"
    assert "Thank you. Your payment is recorded" in visitor.get(response.location).text
    send(visitor, "/portal/invoices/LM-20418", page="/portal/invoices/LM-20377", method="card")
    assert "already been paid" in visitor.get(response.location).text
    assert rows(site, paid) == [(1,)]


def test_paying_needs_a_way_to_pay(site: Flask, visitor: ConsentClient) -> None:
    sign_in(visitor)
    assert "Choose how you want to pay." in send(visitor, "/portal/invoices/LM-20377").text
    assert rows(site, "SELECT * FROM payment WHERE invoice = 'LM-20377'") == []


def test_an_invoice_of_somebody_else_is_not_found(site: Flask, visitor: ConsentClient) -> None:
    rows(site, "INSERT INTO account VALUES ('other', '')")
    rows(site, "INSERT INTO invoice VALUES ('LM-1', 'other', '2026-01-01', '2026-02-01', 100)")
    sign_in(visitor)
    assert visitor.get("/portal/invoices/LM-1").status_code == 404


@pytest.mark.requirement("HIP-01")
@pytest.mark.parametrize(
    "path", ["/portal/", "/portal/invoices/LM-20418", "/sign-in", "/contact", "/call-back"]
)
def test_a_page_with_payments_or_a_form_holds_no_third_party_even_after_accept_all(
    site: Flask, path: str
) -> None:
    client = site.test_client(grant=EVERYTHING)
    sign_in(client)
    assert "localhost:8001" not in client.get(path).text
    assert "localhost:8001/dot.gif" in client.get("/").text


def test_invoices_stay_out_of_caches(visitor: ConsentClient) -> None:
    sign_in(visitor)
    assert visitor.get("/portal/").headers["Cache-Control"] == "no-store"

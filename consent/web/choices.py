"""The visitor's blueprint: preference centre, the answer, my consent, declaration, notices, state."""

from http import HTTPStatus

from flask import Blueprint, Response, abort, current_app, jsonify, make_response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import NotFound, ServiceUnavailable
from werkzeug.wrappers import Response as AnyResponse

from consent.errors import LedgerError
from consent.policy import Policy
from consent.web import assets, checking, deciding, erasing, receipts
from consent.web.assets import asset
from consent.web.centre import centre
from consent.web.declaration import Declaration
from consent.web.language import Catalogue, catalogue, negotiate
from consent.web.mine import mine_page
from consent.web.page import page, piece
from consent.web.request import ConsentRequest, here
from consent.web.site import DIGEST, Site
from consent.web.state import sheet as sheet_for
from consent.web.state import state as state_of

blueprint = Blueprint(
    "consent",
    __name__,
    template_folder=assets.ROOT / "templates",
)


@blueprint.url_value_preprocessor
def exempt_from_tokens(endpoint: str | None, values: dict[str, object] | None) -> None:
    """Take the visitor's routes out of the host's CSRFProtect: they are judged by where a POST comes from.

    A token in the banner would set a session cookie before any choice. This runs before the host's
    ``before_request`` functions, so that the order of the two extensions doesn't matter.
    """
    if csrf := current_app.extensions.get("csrf"):
        csrf.exempt(blueprint)


@blueprint.after_request
def protect(response: Response) -> Response:
    """Nobody may frame these pages, nobody but the visitor keep them, and no other origin load what they say."""
    if request.endpoint == "consent.static" and response.status_code < HTTPStatus.BAD_REQUEST:
        return response
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Robots-Tag"] = "noindex"
    # Sibling hosts are the same site: their requests bring the cookie along.
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if not request.args.keys().isdisjoint(("receipt", "erase")):  # what these open is nobody else's business
        response.headers["Referrer-Policy"] = "strict-origin"
    response.headers.setdefault("Referrer-Policy", "same-origin")
    here().seal(response.headers)
    return response


@blueprint.errorhandler(HTTPStatus.NOT_FOUND)
def missing(_error: NotFound) -> Response:
    """404: what isn't there and what is somebody else's, in the same words, which are the visitor's."""
    return deciding.failed(here(), request, HTTPStatus.NOT_FOUND)


@blueprint.errorhandler(HTTPStatus.SERVICE_UNAVAILABLE)
def unreadable(error: ServiceUnavailable) -> Response:
    """503: what was shown or declared before can't be read now."""
    title = "shown.title" if "hash" in (request.view_args or {}) else "link.declaration"
    again = f"{here().mount}{request.full_path}".rstrip("?")
    response = make_response(page(here(), title, "unreadable.html", title=title, again=again), error.code)
    response.retry_after = error.retry_after
    return response


@blueprint.get("")
def choices() -> str:
    """The preference centre as a page."""
    return centre(here())


@blueprint.post("")
def decide() -> Response:
    """The visitor's answer."""
    return deciding.decide(here(), request)


@blueprint.get("/mine")
def mine() -> str:
    """What this browser's visitor has answered, now and before."""
    return mine_page(here())


@blueprint.post("/mine")
def check() -> Response:
    """What a pasted receipt is worth."""
    return checking.check(here(), request)


@blueprint.post("/mine/erase")
def erase() -> AnyResponse:
    """What would be erased; then the erasure."""
    return erasing.erase(here(), request)


@blueprint.get("/mine/erase")
def unasked() -> AnyResponse:
    """Back to my consent, for whoever comes by the address alone, as by a site's choice of another language."""
    return redirect(url_for("consent.mine"), HTTPStatus.SEE_OTHER)


@blueprint.get("/receipts/<id>")
def receipt(id: str) -> Response:
    """The receipt of one event, for whom it is about."""
    return receipts.give(here(), request, id)


@blueprint.get("/declaration")
def declaration() -> str:
    """Everything the site declares, now."""
    visitor = here()
    return declaration_page(visitor, visitor.site.policy)


@blueprint.get("/declaration/<int:revision>")
def declaration_then(revision: int) -> str:
    """Everything the site declared in an earlier revision (POL-03)."""
    visitor = here()
    site = visitor.site
    if revision == site.policy.revision:
        return declaration_page(visitor, site.policy)
    policy = next((p for p in policies(site) if p.revision == revision), None)
    return declaration_page(visitor, policy) if policy else abort(404)


@blueprint.get("/notices/<hash>")
def notice(hash: str) -> Response:
    """A notice's stored bytes, as they were shown. They never change."""
    body = body_of(here().site, hash)
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    response.headers["Cache-Control"] = assets.IMMUTABLE
    return response


@blueprint.get("/shown/<hash>")
def shown(hash: str) -> str:
    """A page around a notice, for who wants to read what was shown then."""
    visitor = here()
    body_of(visitor.site, hash)
    return page(visitor, "shown.title", "shown.html", src=url_for("consent.copy", hash=hash))


@blueprint.get("/shown/<hash>/copy")
def copy(hash: str) -> Response:
    """A notice's stored bytes under today's style sheet, for the frame on that page. Its buttons do nothing."""
    visitor = here()
    body = Markup(body_of(visitor.site, hash).decode())
    response = Response(piece(visitor, "audit/notice.html", stylesheet=asset("choices.css"), body=body))
    response.headers["Content-Security-Policy"] = (
        "sandbox; default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'self'"
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@blueprint.get("/static/<filename>")
def static(filename: str) -> Response:
    """A style sheet or module; under an address that names its version, for ever."""
    found = assets.assets().get(filename) or abort(404)
    response = Response(found.body, content_type=f"{found.kind}; charset=utf-8")
    response.set_etag(found.version)
    current = request.args.get("v") == found.version
    response.headers["Cache-Control"] = assets.IMMUTABLE if current else "no-cache"
    response.make_conditional(request)
    return response


@blueprint.get("/state")
def state() -> Response:
    """The visitor's answer as JSON, for scripts of pages that are served from a cache."""
    visitor = here()
    # No form or link of another site can set a header, and it only narrows.
    visitor.hear(script=request.headers.get("PC-Signal") == "1")
    return jsonify(state_of(visitor))


@blueprint.get("/state.css")
def sheet() -> Response:
    """The same as a style sheet, for browsers without JavaScript on such pages."""
    return Response(sheet_for(here()), mimetype="text/css")


@blueprint.get("/checkpoint")
def checkpoint() -> Response:
    """The latest signed checkpoint, for whoever keeps one: the log's name, its size, a hash, and nothing personal."""
    try:
        note = here().site.recorder.checkpoint()
    except LedgerError as error:
        response = plain("No checkpoint can be signed at the moment.\n", HTTPStatus.SERVICE_UNAVAILABLE)
        response.retry_after = receipts.wait_after(error)
        return response
    if note is None:
        return plain("No checkpoint is signed yet.\n", HTTPStatus.NOT_FOUND)
    response = plain(note, HTTPStatus.OK)
    response.headers["Cache-Control"] = "public, max-age=10"
    return response


def plain(text: str, status: HTTPStatus) -> Response:
    """*text* as it is."""
    return Response(text, status, content_type="text/plain; charset=utf-8")


def policies(site: Site) -> list[Policy]:
    """The policies on record, newest first; 503 while the ledger can't be read."""
    try:
        return site.recorder.policies()
    except LedgerError as error:
        raise ServiceUnavailable(retry_after=receipts.wait_after(error)) from error


def body_of(site: Site, hash: str) -> bytes:
    """The bytes of the notice *hash*; 404 when there is none such, 503 while the ledger can't be read."""
    if known := site.notices.by_hash.get(hash):
        return known.body
    try:
        document = site.recorder.document(hash) if DIGEST.fullmatch(hash) else None
    except LedgerError as error:
        raise ServiceUnavailable(retry_after=receipts.wait_after(error)) from error
    if document is None or document.kind != "notice":
        abort(404)
    return document.body


def declaration_page(visitor: ConsentRequest, policy: Policy) -> str:
    """The declaration of *policy*; in the visitor's language if it has that one, else in its own."""
    site = visitor.site
    words = catalogue(negotiate(visitor.language, policy.languages) or policy.language)
    return page(
        visitor,
        "link.declaration",
        "declaration.html",
        words,
        declaration=Declaration.of(policy, words),
        current=policy.digest == site.policy.digest,
        revisions=revisions(site, words),
    )


def revisions(site: Site, words: Catalogue) -> list[dict[str, object]]:
    """The revisions on record with their dates and addresses, newest first; the current one while none can be read."""
    try:
        known = policies(site)
    except ServiceUnavailable:
        known = [site.policy]
    found = {policy.revision: policy for policy in [*reversed(known), site.policy]}
    return [
        {
            "revision": number,
            "effective": words.date(policy.effective),
            "url": url_for("consent.declaration_then", revision=number),
        }
        for number, policy in sorted(found.items(), reverse=True)
    ]

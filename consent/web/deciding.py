"""A visitor's POST, from its bytes to the response: who sent it, what it says, what became of it."""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus

from flask import Request, Response, jsonify, make_response, url_for
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from consent.decision import Answer, Form, FormConflict, FormInvalid, judge_form
from consent.errors import Fault, LedgerError
from consent.web import erasure, receipts
from consent.web.answering import Asked, Outcome, take
from consent.web.centre import Problem, centre
from consent.web.confirmation import contradicts, first_step, follows
from consent.web.cookie import choice_cookie
from consent.web.embed import Embed, once_page, record_once
from consent.web.form import read_form
from consent.web.limits import TooMany
from consent.web.origin import Origin, own_origin, sender_of
from consent.web.page import answers, opt_in_in_words, opt_in_page, page, result_in_words
from consent.web.request import ConsentRequest
from consent.web.returning import referring_path, returnable, safe_path, with_status
from consent.web.sender import note_refused, sender_noted
from consent.web.signalled import end_by_script
from consent.web.signals import announce
from consent.web.site import Shown, Site

log = logging.getLogger("consent")

#: What a form without any Yes says while nobody can look up what it was shown.
REFUSAL = Form.read([("choice", "none")])
#: From these, the visitor goes back to the page they were on.
RETURNING = frozenset({"banner", "dialog", "embed"})


def decide(visitor: ConsentRequest, request: Request) -> Response:
    """Take the answer that *request* brings, in the order of :func:`consent.decision.judge_form`."""
    site = visitor.site
    visitor.ask_anew()
    try:
        form = read_form(request)
    except RequestEntityTooLarge:
        return failed(visitor, request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except BadRequest:
        return failed(visitor, request, HTTPStatus.BAD_REQUEST)
    sender = sender_noted(visitor, request)
    if sender is Origin.SAME:  # what others say of the signal may narrow, and is no record of it
        visitor.hear(script=form.signal)
        if form.by_signal:
            return heard(visitor, request, form)
    try:
        shown = shown_to(site, form)
        answer = judge_form(form, current=site.policy, shown=shown.policy if shown else None)
    except FormInvalid as error:
        return (
            invalid(visitor, request, form, error)
            if sender is Origin.SAME
            else failed(visitor, request, HTTPStatus.FORBIDDEN)
        )
    except FormConflict as error:
        if sender is not Origin.SAME:
            return forbidden(visitor, request, form, Answer(refused=error.refused), shown)
        return conflict(visitor, request, form, error, shown)
    except LedgerError as error:
        if not form.only_refuses:
            return unavailable(visitor, request, None, error)
        shown, answer = None, judge_form(REFUSAL, current=site.policy, shown=None)
    if answer.granted or answer.withheld:
        if sender is not Origin.SAME:
            return forbidden(visitor, request, form, answer, shown)
        if visitor.minor:
            return forbidden(visitor, request, form, answer, shown, about="minor")
    if form.once:
        return loaded(visitor, request, form, answer, shown)
    if form.opts_in:
        named = answer.confirmed or answer.withheld
        if form.confirms is False or not contradicts(visitor, named):
            return taken(visitor, request, form, None)
        if not (form.confirms and follows(visitor, named, form.value("step"))):
            return to_confirm(visitor, request, form, named)
    outcome = record(visitor, request, form, answer, shown)
    if outcome.failure:
        return carrying(unavailable(visitor, request, outcome, outcome.failure), visitor, outcome)
    return carrying(taken(visitor, request, form, outcome), visitor, outcome)


def shown_to(site: Site, form: Form) -> Shown | None:
    """What the form's notice showed. A refusal needs none, so for it a silent ledger counts as "unknown"."""
    try:
        return site.shown(form.notice)
    except LedgerError:
        if form.refuses_all or form.opts_out:
            return None
        raise


def record(
    visitor: ConsentRequest, request: Request, form: Form, answer: Answer, shown: Shown | None
) -> Outcome:
    """Write *answer*, to what the notice has *shown*, down; from then on the request goes by what it led to."""
    site = visitor.site
    notice = site.notices.by_hash.get(form.notice or "")
    sender = sender_of(request, site.settings.trusted_origins)
    account = visitor.account if sender is Origin.SAME else None
    outcome = take(
        site.recorder,
        answer,
        Asked(
            source=form.source,
            notice=form.notice if shown else None,
            language=(shown and shown.language) or visitor.language,
            profile=visitor.profile,
            signal=visitor.signal,
            address=request.remote_addr,
            account=account.link if account else None,
        ),
        held=visitor.decision,
        now=site.clock(),
        lifetimes=visitor.lifetimes,
        documents=site.documents(notice),
        minor=visitor.minor,
    )
    if outcome.after is not None:
        visitor.replace(outcome.after)
        announce(site, outcome)
    if outcome.failure is None:
        site.retention.in_passing()
    return outcome


def carrying(response: Response, visitor: ConsentRequest, outcome: Outcome) -> Response:
    """*response* with the cookie of what now holds; the gate sends along the end of what is refused."""
    if outcome.after is not None:
        cookie = choice_cookie(visitor, outcome.after)
        response.headers.add("Set-Cookie", visitor.sets(cookie))
    return response


def heard(visitor: ConsentRequest, request: Request, form: Form) -> Response:
    """The response to the page's script, which has seen the signal: what it ended holds (GPC-02)."""
    headers = end_by_script(visitor)
    response = taken(visitor, request, form, None)
    response.headers.extend(headers)
    return response


def loaded(
    visitor: ConsentRequest, request: Request, form: Form, answer: Answer, shown: Shown | None
) -> Response:
    """200: the one embed that the visitor asked to see once; nothing else changes, and nothing is kept.

    400 for an embed that no page of ours asked about, 403 for one that stays off, 429 or 503 as for every grant.
    """
    embed = Embed.read(visitor.site, form.value("embed"))
    if embed is None or answer.granted != {embed.service}:
        fault = Fault("embed", "this site signed no such embed", "Load the page anew and answer there.")
        return invalid(visitor, request, form, FormInvalid(form, (fault,)))
    if reason := embed.stopped(visitor):
        return failed(visitor, request, HTTPStatus.FORBIDDEN, about="embed", reason=reason)
    try:
        record_once(
            visitor,
            embed,
            notice=form.notice,
            language=shown and shown.language,
            address=request.remote_addr,
        )
    except LedgerError as error:
        return unavailable(visitor, request, None, error)
    if wants_json(request):
        return jsonify(
            ok=True, frame={name: "" if is_ is True else is_ for name, is_ in embed.attributes.items()}
        )
    return once_page(visitor, embed, back=returning(request, form))


def to_confirm(visitor: ConsentRequest, request: Request, form: Form, services: frozenset[str]) -> Response:
    """200: the page that asks to confirm *services*, opted out of before; nothing is changed yet (TTL-08)."""
    step = first_step(visitor, services)
    if not wants_json(request):
        return make_response(opt_in_page(visitor, services, step=step, back=returning(request, form)))
    return jsonify(
        ok=True,
        confirm=sorted(services),
        step=step,
        message=opt_in_in_words(visitor, services, visitor.words).striptags(),
        notice=visitor.notice.hash,
        **answers(visitor),
        reload=False,
    )


def taken(visitor: ConsentRequest, request: Request, form: Form, outcome: Outcome | None) -> Response:
    """The response to an answer that holds, or to one that leaves everything as it was: back with 303, or JSON."""
    event = outcome.event if outcome else None
    ended = outcome is not None and bool(outcome.withdrawn) and visitor.subject is None
    erase = erasure.offer(visitor, event) if event and ended else None
    receipt = receipts.offer(visitor, event) if event else None
    location = with_status(destination(request, form, erase=erase, receipt=receipt))
    if not wants_json(request):
        return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})
    return jsonify(
        ok=True,
        message=result_in_words(visitor, visitor.words).striptags(),
        decided=visitor.decided,
        **answers(visitor),
        reload=outcome is not None and bool(outcome.granted or outcome.withdrawn),
        location=location,
        receipt=receipts.address(visitor, receipt),
    )


def destination(request: Request, form: Form, *, erase: str | None, receipt: str | None) -> str:
    """Where the visitor goes now; always a path of this site.

    *erase* and *receipt*, both signed: what the centre offers to erase, and to take a receipt of.
    """
    back = returning(request, form)
    centre_path = url_for("consent.choices")
    if form.source in RETURNING:
        return back or centre_path
    path = url_for("consent.choices", next=back, erase=erase, receipt=receipt)
    return safe_path(path) or centre_path


def returning(request: Request, form: Form) -> str | None:
    """The page that the visitor came from, as far as they said so; always a path of this site."""
    back = returnable(form.next)
    if back is None and form.source in RETURNING:
        back = referring_path(request.referrer, own=own_origin(request))
    return back


def invalid(visitor: ConsentRequest, request: Request, form: Form, error: FormInvalid) -> Response:
    """400: the preference centre again, saying what couldn't be read, with the answers kept."""
    log.info("an answer was not understood: %d faults", len(error.faults))
    faults = tuple(dict.fromkeys(fault.place for fault in error.faults))
    names = () if form.opts_in else ("category.", "service.")
    kept = [f"{name}={value}" for name, value in form.pairs if name.startswith(names)]
    return again(visitor, request, form, Problem(code=400, faults=faults), kept)


def conflict(
    visitor: ConsentRequest, request: Request, form: Form, error: FormConflict, shown: Shown | None
) -> Response:
    """409: the current preference centre, nothing marked. Every No of the form is taken all the same."""
    if not error.refused:
        return again(visitor, request, form, Problem(code=409), ())
    outcome = record(visitor, request, form, Answer(refused=error.refused), shown)
    response = again(visitor, request, form, Problem(code=409, held=True), ())
    return carrying(response, visitor, outcome)


def forbidden(
    visitor: ConsentRequest,
    request: Request,
    form: Form,
    answer: Answer,
    shown: Shown | None,
    *,
    about: str = "",
) -> Response:
    """403: who may not grant. Every No of the form is taken all the same."""
    held = bool(answer.refused)
    outcome = record(visitor, request, form, Answer(refused=answer.refused), shown) if held else None
    response = failed(visitor, request, HTTPStatus.FORBIDDEN, held=held, about=about)
    return carrying(response, visitor, outcome) if outcome else response


def again(
    visitor: ConsentRequest, request: Request, form: Form, problem: Problem, marked: Iterable[str]
) -> Response:
    """The preference centre with *problem* on top, or the same as JSON."""
    if wants_json(request):
        return told(visitor, problem)
    back = returning(request, form)
    return shown(visitor, problem, lambda: centre(visitor, marked=marked, problem=problem, back=back))


def unavailable(
    visitor: ConsentRequest, request: Request, outcome: Outcome | None, error: LedgerError
) -> Response:
    """429 or 503: the grant couldn't be recorded, so nothing was turned on."""
    code = HTTPStatus.TOO_MANY_REQUESTS
    if not isinstance(error, TooMany):  # that says something of its sender, who would fill the site's log
        log.error("a grant could not be recorded: %s", error)
        code = HTTPStatus.SERVICE_UNAVAILABLE
    response = failed(visitor, request, code, held=outcome is not None and outcome.after is not None)
    response.headers["Retry-After"] = str(receipts.wait_after(error))
    return response


def failed(
    visitor: ConsentRequest,
    request: Request,
    code: HTTPStatus,
    *,
    held: bool = False,
    about: str = "",
    reason: str = "",
) -> Response:
    """A plain page, or JSON, that says what happened and that nothing was turned on."""
    if code is HTTPStatus.FORBIDDEN and not about:  # for where it came from, which the site may have to mend
        note_refused(visitor.site, request)
    problem = Problem(code=int(code), held=held, about=about, reason=reason)
    if wants_json(request):
        return told(visitor, problem)
    return shown(
        visitor, problem, lambda: page(visitor, f"{problem.id}.title", "error.html", problem=problem)
    )


def shown(visitor: ConsentRequest, problem: Problem, render: Callable[[], str]) -> Response:
    """The page that *render* makes; in plain text where the site's templates fail, since a refusal holds (rule 9)."""
    try:
        return make_response(render(), problem.code)
    except Exception:  # a refusal holds whatever the site's own templates raise (rule 9)
        log.exception("the page for %s could not be rendered", problem.id)
        return Response(said(visitor, problem), problem.code, mimetype="text/plain")


def told(visitor: ConsentRequest, problem: Problem) -> Response:
    """*problem* as JSON."""
    response = jsonify(ok=False, message=said(visitor, problem))
    response.status_code = problem.code
    return response


def said(visitor: ConsentRequest, problem: Problem) -> str:
    """*problem* in a few sentences: what happened, what was changed, what to do."""
    reason = [f"reason.{problem.reason}"] if problem.reason else []
    held = ["error.held"] if problem.held else []
    ids = [f"{problem.id}.why", *reason, problem.changed, *held, f"{problem.id}.next"]
    return str(visitor.words.sentences(*map(visitor.words.gettext, ids)))


def wants_json(request: Request) -> bool:
    """Whether the sender is our module, which asks for JSON, and not a browser's form."""
    return request.accept_mimetypes.best == "application/json"

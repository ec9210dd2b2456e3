"""django-cookie-consent, in an environment of its own: three groups, seven cookies, SQLite."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import include, path

from benchmarks.page import ITEMS, KEY, source
from benchmarks.worker import Case, serve
from benchmarks.wsgi import HOST, Environ, environ, expect, fetch, same, side

GROUPS = {
    "functionality": ("language", "signin_name"),
    "performance": ("visit", "callback_test", "seen"),
    "media": ("player", "volume"),
}
TAGS = """\
{% load cookie_consent_tags %}
{% if request|cookie_group_accepted:"performance" %}<script src="/visit.js"></script>{% endif %}
{% all_cookie_groups "cookie-consent__cookie-groups" %}
{% not_accepted_or_declined_cookie_groups request as groups %}
{% if groups %}
<template id="cookie-consent__cookie-bar">
<p>We use cookies: {% for group in groups %}{{ group.name }}: {{ group.description }} {% endfor %}</p>
<button class="cookie-consent__accept">Accept</button>
<button class="cookie-consent__decline">Decline</button>
</template>
{% endif %}
"""


def configure(folder: Path) -> None:
    """Django's settings: nothing but what the measured pages need; a database as Django makes it."""
    settings.configure(
        SECRET_KEY=KEY,
        ALLOWED_HOSTS=[HOST],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "cookie_consent"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "django.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                (
                                    "django.template.loaders.locmem.Loader",
                                    {"plain.html": source(), "page.html": source(top=TAGS)},
                                )
                            ],
                        )
                    ],
                    "libraries": {"cookie_consent_tags": "cookie_consent.templatetags.cookie_consent_tags"},
                },
            }
        ],
    )
    django.setup()
    urlpatterns.append(path("cookies/", include("cookie_consent.urls")))
    call_command("migrate", verbosity=0)


def fill() -> None:
    """The groups and their cookies."""
    from cookie_consent.models import Cookie, CookieGroup

    for varname, names in GROUPS.items():
        group = CookieGroup.objects.create(
            varname=varname, name=varname.title(), description=f"What {varname} is for."
        )
        for name in names:
            Cookie.objects.create(cookiegroup=group, name=name, description=f"What {name} is for.", domain="")


def text(request: HttpRequest) -> HttpResponse:
    """A page that asks nothing."""
    return HttpResponse("Hello")


def asked(request: HttpRequest) -> HttpResponse:
    """A page whose view asks for one group."""
    from cookie_consent.util import get_cookie_value_from_request

    return HttpResponse(f"Hello {get_cookie_value_from_request(request, 'performance')}")


def page(name: str) -> Callable[[HttpRequest], HttpResponse]:
    """A page from the template *name*."""

    def view(request: HttpRequest) -> HttpResponse:
        return render(request, name, {"title": "Appointments", "items": ITEMS, "request": request})

    return view


def accept_nothing(request: HttpRequest) -> HttpResponse:
    """Takes a POST and does nothing with it."""
    request.POST.get("all_groups")
    return HttpResponseRedirect("/")


urlpatterns = [
    path("", text),
    path("asked", asked),
    path("plain-page", page("plain.html")),
    path("page", page("page.html")),
    path("plain-accept/", accept_nothing),
]


def handler(middleware: Sequence[str]) -> WSGIHandler:
    """A WSGI application with this *middleware*."""
    settings.MIDDLEWARE = list(middleware)
    return WSGIHandler()


def counted(run: Callable[[], object]) -> int:
    """The database queries that *run* makes."""
    from django.db import connection

    made: list[str] = []

    def note(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        made.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        run()
    return len(made)


def posts(to: str) -> Callable[[int], list[Environ]]:
    """New visitors who accept everything."""
    return lambda count: [environ(to, form="all_groups=true", address=number) for number in range(count)]


def main() -> None:
    """See that it does what is to be measured, then wait for orders."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    configure(Path(sys.argv[1]))
    fill()
    bare, full = handler([]), handler(["cookie_consent.middleware.CleanCookiesMiddleware"])
    status, headers, _ = fetch(full, posts("/cookies/accept/")(1)[0])
    cookie = headers["set-cookie"].partition(";")[0].strip()
    if status != 302 or not cookie.startswith("cookie_consent="):
        raise RuntimeError(f"accepting: {status} {headers}")
    expect(full, environ("/asked", cookie=cookie), holds="Hello True")
    expect(full, environ("/page"), holds="cookie-consent__cookie-bar")
    expect(full, environ("/page", cookie=cookie), holds="/visit.js")

    def case(with_: Environ, without: Environ | None = None) -> Case:
        return Case(bare=side(bare, same(without or with_)), full=side(full, same(with_)))

    serve(
        {
            "text": case(environ()),
            "text, cookie": case(environ(cookie=cookie)),
            "text, cookie, asked": case(environ("/asked", cookie=cookie), environ(cookie=cookie)),
            "page, undecided": case(environ("/page"), environ("/plain-page")),
            "page, answered": case(environ("/page", cookie=cookie), environ("/plain-page", cookie=cookie)),
            "decision": Case(
                bare=side(bare, posts("/plain-accept/")), full=side(full, posts("/cookies/accept/"))
            ),
        },
        packages=["django-cookie-consent", "Django"],
        counted=counted,
    )


if __name__ == "__main__":
    main()

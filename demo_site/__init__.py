"""Larkmere Health Services: a made-up company whose website shows Flask-Assent at work.

Settings besides Flask's and ``CONSENT_…``:

* ``DEMO_INSTANCE``: folder for keys and databases (default ``demo_site/instance/8000``)
* ``DEMO_THIRD_PARTY``: origin of the third party's server (default ``http://localhost:8001``)
* ``DEMO_ORIGIN``: the site's own origin; whoever asks another host name is sent there (default: nobody is)

Each can be set in the environment as well, as Flask reads it: ``FLASK_CONSENT_CACHE_SAFE=true python3 dev.py demo``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask

from demo_site import (
    account,
    auditor,
    contact,
    database,
    declaration,
    errors,
    headers,
    pages,
    portal,
    preferences,
    presentation,
    statistics,
    topics,
    witness,
)
from demo_site.extensions import consent, csrf, login
from demo_site.instance import MARK, Instance
from demo_site.throttle import Throttle

FOLDER = Path(__file__).parent
POLICY = FOLDER / "consent.toml"


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """The demo's app; its instance folder and database are made when they are missing."""
    settings = dict(config or {})
    instance = Instance.open(Path(str(settings.get("DEMO_INSTANCE") or FOLDER / "instance" / "8000")))
    app = Flask(__name__, instance_path=str(instance.folder))
    app.config.from_mapping(
        SECRET_KEY=instance.secret_key,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_PROTECTION=None,  # it goes by a hash of address and browser, and we keep neither
        REMEMBER_COOKIE_DURATION=timedelta(0),  # nobody stays signed in when the browser is closed
        MAX_CONTENT_LENGTH=64 * 1024,
        CONSENT_POLICY=str(POLICY),
        CONSENT_AUDITOR=auditor.who,
        CONSENT_ACCOUNT=account.customer,
        CONSENT_PRIVACY_POLICY="/privacy",
        CONSENT_LANGUAGES=preferences.language,
        DEMO_THIRD_PARTY=declaration.THIRD_PARTY,
        DEMO_ORIGIN=None,
        DEMO=instance,
        DEMO_THROTTLE=Throttle(),
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(settings)
    use_policy(app, instance)
    database.prepare(instance.database, datetime.now(UTC).date())
    app.teardown_appcontext(database.close)
    headers.init_app(app)
    csrf.init_app(app)
    login.init_app(app)
    for module in (pages, topics, account, portal, contact, preferences, statistics, witness, auditor):
        app.register_blueprint(module.blueprint)
    errors.init_app(app)
    presentation.init_app(app)
    consent.init_app(app)
    return app


def reopened(folder: str) -> Flask:
    """The app as it last ran on the instance *folder*, for ``flask``; FileNotFoundError where it never did."""
    if not (Path(folder) / MARK).exists():
        raise FileNotFoundError(f"no demo has run in {folder} yet. Start it: python -m demo_site")
    return create_app({**Instance(Path(folder).resolve()).settings, "DEMO_INSTANCE": folder})


def use_policy(app: Flask, instance: Instance) -> None:
    """Lets *app* take its policy from a file that names the third party where it really is."""
    declared = Path(app.root_path) / app.config["CONSENT_POLICY"]
    path = declaration.with_third_party(declared, app.config["DEMO_THIRD_PARTY"], instance.folder / "policy")
    app.config["CONSENT_POLICY"] = str(path)
    app.config["DEMO_DECLARATION"] = declaration.read(path)

"""The two extensions that the demo's blueprints mark their views with."""

from flask_wtf.csrf import CSRFProtect

from consent import Consent

consent = Consent()
csrf = CSRFProtect()

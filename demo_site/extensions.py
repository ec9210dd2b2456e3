"""The extensions that the demo's blueprints use."""

from flask_login import LoginManager
from flask_wtf.csrf import CSRFProtect

from consent import Consent

consent = Consent()
csrf = CSRFProtect()
login = LoginManager()

"""Flask-Assent: a Flask site declares what it stores, asks, enforces the answer, and can prove it."""

from consent.errors import ConfigurationError as ConfigurationError
from consent.errors import ConsentError as ConsentError
from consent.errors import LedgerError as LedgerError
from consent.errors import PolicyError as PolicyError
from consent.errors import ProofError as ProofError
from consent.web.extension import Consent as Consent
from consent.web.guard import ConsentRequired as ConsentRequired
from consent.web.request import current_consent as current_consent
from consent.web.signals import consent_changed as consent_changed
from consent.web.signals import consent_given as consent_given
from consent.web.signals import consent_withdrawn as consent_withdrawn
from consent.web.signals import item_blocked as item_blocked

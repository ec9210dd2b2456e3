"""The clinic's site, as the tests of ``web`` know it."""

from tests.web.conftest import app as app
from tests.web.conftest import clock as clock
from tests.web.conftest import make_app as make_app

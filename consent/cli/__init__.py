"""``flask consent …``: what a site's developer, operator and auditor do without a browser."""

from consent.cli.check import check
from consent.cli.checkpoint import checkpoint
from consent.cli.command import Group
from consent.cli.db import db
from consent.cli.diff import diff
from consent.cli.doctor import doctor
from consent.cli.export import export
from consent.cli.forget import forget
from consent.cli.health import health
from consent.cli.init import init
from consent.cli.keys import keys
from consent.cli.log import log
from consent.cli.prune import prune
from consent.cli.sample import sample
from consent.cli.seal import seal
from consent.cli.show import show
from consent.cli.stats import stats
from consent.cli.verify import verify

#: The entry point ``flask.commands``: there also where the app can't be loaded, for ``init`` and ``diff``.
cli = Group(
    "consent",
    help="Declare what the site stores, check it, and read what visitors answered.",
    commands=[
        *(init, diff, check, doctor, health, log, show, stats, export, verify),
        *(checkpoint, forget, prune, seal, keys, db, sample),
    ],
)

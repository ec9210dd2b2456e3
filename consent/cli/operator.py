"""Who runs a command, as look-ups, exports and erasures on record name them before a key makes it unreadable."""

import getpass
import os


def operator() -> str:
    """``os:`` and the account on this machine; under ``sudo`` that of whoever became another by it.

    Where the account has no name, its number.
    """
    try:
        return f"os:{os.environ.get('SUDO_USER') or getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, as containers have; KeyError before Python 3.13
        return f"os:{os.getuid()}"

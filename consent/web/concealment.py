"""What strangers learn of an address that isn't there for them: no more than of one that isn't there at all."""

import re
from typing import Final

from flask import request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import RequestRedirect

#: How Flask answers an address that is there, but not so.
REVEALING: Final = (MethodNotAllowed, RequestRedirect)
_SLASHES = re.compile("/{2,}")


def gives_away(*paths: str) -> bool:
    """Whether Flask's answer to this request would say that one of *paths*, or an address below it, is there.

    So it would where that was asked for with another method, or with a slash too many: by a 405, or by the way to
    the right address.
    """
    if not isinstance(request.routing_exception, REVEALING):
        return False
    wanted = f"{_SLASHES.sub('/', request.path)}/"
    return any(wanted.startswith(f"{path}/") for path in paths)

"""Source expressions of content security policies: what they say, and which of them let an origin in.

Section numbers are those of CSP3, https://www.w3.org/TR/CSP3/.
"""

import re
from typing import Final, NamedTuple

from consent.web.memory import remembered

#: Characters of a host name (RFC 1035 §2.3.4); what is longer is no host, and never taken apart.
LONGEST_HOST: Final = 253

_SOURCE = re.compile(
    r"(?:([a-z][a-z0-9+.-]*)://)?(\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::([0-9]{1,5}|\*))?(/[!-~]*)?",
    re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443", "": "443"}
#: By the scheme of an origin, the schemes in an expression that let it in. An expression without a scheme
#: takes the page's own (§6.7.2.9), which is https, or else lets https in too.
_LET_IN_BY: Final = {"https": ("https", "http", ""), "http": ("http",), "wss": ("wss", "ws"), "ws": ("ws",)}


class Source(NamedTuple):
    """A source expression (§2.3.1) in the one spelling that all its spellings share."""

    #: Scheme and host in lower case, any port but the default one, no path.
    text: str
    #: Whether it has a path, so that it stands for a part of its origin only.
    partial: bool
    #: The host and its wildcards, narrowest first, with any port but the default one; empty if it has none.
    #: Without a scheme, because browsers that are let in by one scheme may use a safer one too.
    within: tuple[str, ...]


@remembered(4096)
def source(expression: str) -> Source:
    """What *expression* says: ``HTTPS://a.b.example:443/`` is https://a.b.example, within ``*.example`` too."""
    parts = _SOURCE.fullmatch(expression)
    if parts is None or len(parts[2]) > LONGEST_HOST:
        return Source(expression.lower(), False, ())
    scheme, host, port, path = (part or "" for part in parts.groups())
    scheme, host = scheme.lower(), host.lower()
    end = f":{port}" if port != _DEFAULT_PORTS.get(scheme, "") and port else ""
    labels = host.removeprefix("*.").split(".")
    own = end if port != "*" else ""  # any port is the usual one too
    wider = (f"*.{'.'.join(labels[start:])}{own}" for start in range(1, len(labels)))
    text = f"{scheme}://{host}{end}" if scheme else f"{host}{end}"
    return Source(text, path not in ("", "/"), (f"{host}{own}", *wider))


@remembered(1024)
def letting_in(origin: str) -> frozenset[str]:
    """Every expression (``Source.text``) that lets in all of *origin*, by the rules that browsers share (§6.7.2.8)."""
    found = source(origin)
    scheme, _, host = found.text.partition("://")
    port = host[host.index(":") :] if ":" in host else ""
    hosts = [*found.within, f"*{port}"]
    hosts += [host.removesuffix(port) + ":*" for host in hosts]
    schemes = _LET_IN_BY[scheme]
    whole = {f"{each}:" for each in schemes if each}
    return frozenset(
        {"*"} | whole | {f"{each}://{host}" if each else host for each in schemes for host in hosts}
    )

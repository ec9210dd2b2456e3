"""What holds for the visitor, for pages that are the same for everybody: their browsers ask for it."""

from consent.web.page import again, answers, settled, signal_status
from consent.web.request import ConsentRequest

#: Hides what asks, and gives back the room it takes. `choices.css` does the same by a class that scripts set.
HIDDEN = (
    ".pc-place:not(:has(> .pc-status:target)), .pc-place > :not(.pc-status) { display: none !important; }\n"
    "html:has(.pc-place:not(.pc-top) > .pc-banner):not(.pc-decided, :has(.pc-status:target)) "
    "{ --pc-room: initial; scroll-padding-block-end: 0; }\n"
)


#: Without JavaScript no embed comes to life on such a page: a standing Yes would promise that.
NEVER_ALWAYS = ".pc-embed [value=always] { display: none !important; }\n"


def settled_for(visitor: ConsentRequest) -> bool:
    """Whether *visitor* is not to be asked: they have answered, or are a child (CH-01)."""
    return visitor.decided or visitor.minor


def state(visitor: ConsentRequest) -> dict[str, object]:
    """The visitor's answer as JSON says it; for pages from a cache also what such a page can't say, in words."""
    site = visitor.site
    found: dict[str, object] = {
        "decided": settled_for(visitor),
        "revision": site.policy.revision,
        **answers(visitor),
    }
    if site.settings.cache_safe:
        found["message"] = settled(visitor).striptags()
        found["again"] = "" if found["decided"] else again(visitor).striptags()
        found["signal"] = signal_status(visitor).striptags()
    return found


def sheet(visitor: ConsentRequest) -> str:
    """The style sheet for browsers without JavaScript: it hides what asks from who is not to be asked.

    From everybody it hides the button to always allow an embed.
    """
    return NEVER_ALWAYS + (HIDDEN if settled_for(visitor) else "")

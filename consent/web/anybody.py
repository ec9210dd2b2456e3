"""The view of a request for what is the same for everybody: pages from a cache."""

from consent.decision import Circumstances
from consent.web.request import ConsentRequest


class Anybody(ConsentRequest):
    """The view of *visitor*'s request for what is the same for everybody: no answer, no signal, nobody signed in."""

    decision = None
    sends_signal = False
    account = None

    def __init__(self, visitor: ConsentRequest) -> None:
        super().__init__(visitor.site, visitor.environ)
        self.request = visitor.request
        self.visitor = visitor
        self.nonce, self.placed = visitor.nonce, visitor.placed

    @property
    def circumstances(self) -> Circumstances:
        """What the page itself decides."""
        return self.site.page(self.endpoint)

    @property
    def language(self) -> str:
        """The visitor's, as the address or the header says."""
        return self.visitor.language

"""Values that the component never writes: who finds one knows that somebody else wrote into the database."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, or_, select

from consent.errors import LedgerError
from consent.storage import records
from consent.storage.schema import document

_MISNAMED = (
    select(document.c.hash)
    .where(or_(func.length(document.c.hash) != 64, func.rtrim(document.c.hash, "0123456789abcdef") != ""))
    .order_by(document.c.hash)
    .limit(1)
)


def problems(connection: Connection) -> Iterator[str]:
    """What is wrong with the names of documents, as far as one of them tells, and with the bound.

    What is quickly found, without reading any document.
    """
    for name in connection.execute(_MISNAMED).scalars():
        yield (
            f"A document is called {name[:80]!r}, which is no hash: somebody else wrote it. Find out who can write to "
            "the database, and delete all rows of the table document that are so called."
        )
    try:
        bound, size = records.pruned(connection), records.head(connection).size
    except LedgerError as error:
        yield str(error)
        return
    if bound > size:
        yield (
            f"The bound below which leaves were pruned is {bound}, and the tree has {size} entries: somebody altered "
            "it. Run flask consent verify, find out who can write to the database, and restore it from a backup."
        )

"""Our ledger on SQLite, beside sqlite3 alone that writes the same rows to a database of its own."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import acts, bare
from benchmarks.worker import Case, Side, serve


def main() -> None:
    """Make both databases, then wait for orders."""
    folder = Path(sys.argv[1])
    ledger = acts.open_ledger(folder)
    acts.record(ledger, acts.given())
    pattern = bare.rows(folder / "ledger.sqlite3")[-1]
    bare.create(folder / "bare.sqlite3", like=folder / "ledger.sqlite3")
    writer = bare.Writer(folder / "bare.sqlite3")

    def rows(count: int) -> Sequence[bare.Row]:
        return [pattern.again() for _ in range(count)]

    serve(
        {
            "record": Case(
                bare=Side(call=writer.write, inputs=rows),
                full=Side(
                    call=lambda event: acts.record(ledger, event),
                    inputs=lambda count: [acts.given() for _ in range(count)],
                ),
            )
        },
        packages=["SQLAlchemy"],
    )


if __name__ == "__main__":
    main()

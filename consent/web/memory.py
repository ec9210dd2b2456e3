"""What a process remembers of functions whose arguments visitors choose: so many results, of short arguments."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar, TypeVarTuple, cast

#: Characters of all arguments together; what is longer is worked out each time, so that nobody can fill the memory.
LONGEST: Final = 1024

Given = TypeVarTuple("Given")
Found = TypeVar("Found")


def remembered(most: int) -> Callable[[Callable[[*Given], Found]], Callable[[*Given], Found]]:
    """A decorator for functions of texts and tuples: what came out for the *most* last asked for is remembered."""

    def decorate(function: Callable[[*Given], Found]) -> Callable[[*Given], Found]:
        kept: Callable[..., Found] = lru_cache(most)(function)

        @wraps(function)
        def asked(*given: Any) -> Found:
            length = 0
            for each in given:
                length += len(each)
            return kept(*given) if length <= LONGEST else function(*given)

        return cast("Callable[[*Given], Found]", asked)

    return decorate

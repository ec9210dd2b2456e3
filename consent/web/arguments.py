"""The arguments of template calls: one that is missing or unknown is named with its fix, as other mistakes are."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from markupsafe import Markup

from consent.errors import did_you_mean


def named(call: str, helper: Callable[..., Markup]) -> Callable[..., Markup]:
    """*helper* as templates call it, under the name *call*.

    ValueError, naming call, key and fix, where Python would raise TypeError for arguments that don't fit.
    """
    signature = inspect.signature(helper)

    @wraps(helper)
    def checked(*args: Any, **kwargs: Any) -> Markup:
        try:
            return helper(*args, **kwargs)
        except TypeError:
            if problem := misfit(signature, args, kwargs):
                place = f'{call}("{args[0]}")' if args and "key" in signature.parameters else call
                raise ValueError(f"{place}: {problem}") from None
            raise

    return checked


def misfit(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """What doesn't fit *signature*, what was expected, and the likely fix; None if all fits."""
    names = list(signature.parameters)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    places = [name for name in names if signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD]
    plain = [name for name in places if signature.parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    expected = f"expected {listed([name for name in places if name != 'caller'])}" + (
        " and attributes by name" if takes_any else ""
    )
    given = plain[: len(args)]
    if unknown := [name for name in kwargs if name not in names and not takes_any]:
        fix = did_you_mean(unknown[0], places) or "Take it out."
        return f"{unknown[0]!r} can't be given here; {expected}. {fix}"
    if len(args) > len(plain):
        fix = "Take the rest out" + (", or name it: class_=…." if takes_any else ".")
        return f"values without a name: {len(args)}, that is too many; {expected}. {fix}"
    if twice := [name for name in kwargs if name in given]:
        return f"{twice[0]} is given twice, once by its place; {expected}. Take one out."
    missing = [
        name
        for name in places
        if name not in given
        and name not in kwargs
        and signature.parameters[name].default is inspect.Parameter.empty
    ]
    if "caller" in missing:
        fix = 'Write {% call consent_block("key") %}…{% endcall %}.'
        return f"there is nothing between its begin and its end; expected a body. {fix}"
    if missing:
        return f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing; {expected}. Add {missing[0]}=…"
    return None


def listed(names: list[str]) -> str:
    """*names* in words."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "nothing"

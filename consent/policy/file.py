"""The policy as files: ``consent.toml``, and beside it ``consent.<language>.toml`` with wording only."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

from ..errors import Fault, PolicyError
from . import rules
from .codes import DIRECTIVES
from .model import BUILT_IN, Policy
from .parts import (
    Carrier,
    Category,
    Controller,
    Cookie,
    Duration,
    Origins,
    Provider,
    Service,
    StorageKind,
    Stored,
)
from .report import Report
from .shape import ControllerTable, CookieTable, OriginsTable, PolicyTable, ServiceTable, WordingTable
from .values import is_language, shown

_Value = TypeVar("_Value")


def load(path: str | Path) -> Policy:
    """The policy in the file *path* and in the files of wording beside it; PolicyError with every fault."""
    main = Path(path)
    faults: list[Fault] = []
    text = _contents(main, faults)
    if text is None:
        raise PolicyError(faults)
    found = {_tag(file, main): _contents(file, faults) for file in _beside(main)}
    wordings = {tag: contents for tag, contents in found.items() if contents is not None}
    return _judged(text, wordings, main.name, faults)


def parse(text: str, wordings: Mapping[str, str] | None = None, name: str = "consent.toml") -> Policy:
    """The policy that *text* declares; *wordings*: language → text of its file. PolicyError with every fault.

    Whatever *text* and *wordings* hold, nothing but PolicyError is raised. Faults call the files *name* and,
    for the wording in German, as *name* would be with ``.de`` before its ending.
    """
    return _judged(text, wordings or {}, name, [])


def _judged(text: str, wordings: Mapping[str, str], name: str, faults: list[Fault]) -> Policy:
    report = Report(name)
    table = report.read(text, PolicyTable)
    rules.check(table, report)
    faults += report.faults()
    words = {tag: _words(tag, wordings[tag], table, report, faults) for tag in sorted(wordings)}
    if faults:
        raise PolicyError(faults)
    return _policy(table, words)


def _words(tag: str, text: str, policy: PolicyTable, base: Report, faults: list[Fault]) -> WordingTable:
    report = Report(_wording_name(base.name, tag))
    if not is_language(tag):
        fix = 'Name it like "consent.de.toml". If it is not a translation, keep it elsewhere.'
        report.add((), f"by its name this is wording in {shown(tag)}, which is not a language tag", fix)
    elif tag == policy.language:
        report.add((), "this is the policy's own language", f"Move its texts to {base.name}.")
    words = report.read(text, WordingTable)
    rules.check_wording(words, report, policy, base)
    faults += report.faults()
    return words


# -- files


def _contents(file: Path, faults: list[Fault]) -> str | None:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        fix = 'Run "flask consent init" to make one, or mend the setting CONSENT_POLICY.'
        faults.append(Fault(str(file), "there is no such file", fix))
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror})"
        faults.append(Fault(str(file), problem, "It has to be a file that the site's process may read."))
    except ValueError:
        faults.append(Fault(str(file), "the file is not UTF-8", "Save it as UTF-8, as TOML has to be."))
    return None


def _beside(main: Path) -> list[Path]:
    names = sorted(file.name for file in main.parent.iterdir()) if main.suffix else []
    head, tail = f"{main.stem}.", main.suffix
    return [
        main.with_name(name) for name in names if name.startswith(head) and name[len(head) :].endswith(tail)
    ]


def _tag(file: Path, main: Path) -> str:
    return file.name[len(main.stem) + 1 : -len(main.suffix)]


def _wording_name(name: str, tag: str) -> str:
    path = Path(name)
    return f"{path.stem}.{tag}{path.suffix}"


# -- from what was read to the model; `rules` has seen to it that what must be stated is


def _policy(table: PolicyTable, words: Mapping[str, WordingTable]) -> Policy:
    return Policy(
        revision=_stated(table.revision),
        effective=_stated(table.effective),
        language=_stated(table.language),
        change=table.change,
        controller=_controller(_stated(table.controller)),
        providers=tuple(
            Provider(key=key, name=_stated(one.name), policy=one.policy, country=one.country)
            for key, one in table.providers.items()
        ),
        categories=_categories(table),
        services=tuple(_service(key, service) for key, service in table.services.items()),
        carriers=tuple(
            Carrier(key=key, provider=_stated(one.provider), origins=_origins(one))
            for key, one in table.carriers.items()
        ),
        wordings={tag: _paths(texts) for tag, texts in words.items()},
    )


def _stated(value: _Value | None) -> _Value:
    assert value is not None
    return value


def _controller(table: ControllerTable) -> Controller:
    return Controller(
        name=_stated(table.name),
        site=_stated(table.site),
        contact=_stated(table.contact),
        address=table.address,
        country=table.country,
    )


def _categories(table: PolicyTable) -> tuple[Category, ...]:
    built_in = {category.key: category for category in BUILT_IN}
    own = {key: Category(key=key) for key in table.categories if key not in built_in}
    texts = {key: (words.title, words.text) for key, words in table.categories.items()}
    return tuple(
        Category(key=key, title=title, text=text, always_on=category.always_on)
        for key, category in (built_in | own).items()
        for title, text in (texts.get(key, (None, None)),)
    )


def _service(key: str, table: ServiceTable) -> Service:
    return Service(
        key=key,
        category=_stated(table.category),
        purposes=_each(table.purposes),
        text=table.text,
        title=table.title,
        provider=table.provider or "self",
        via=table.via,
        data=_each(table.data),
        retention=table.retention,
        recipients=_each(table.recipients),
        third_party_access=bool(table.third_party_access),
        country=table.country,
        sells_or_shares=bool(table.sells_or_shares),
        special_category=bool(table.special_category),
        agreement=table.agreement,
        pages=_each(table.pages),
        outlives_session=table.outlives_session,
        google_consent=_each(table.google_consent),
        cookies=tuple(_cookie(name, cookie) for name, cookie in table.cookies.items()),
        storage=tuple(
            Stored(name=name, kind=cast(StorageKind, kind)) for name, kind in table.storage.items()
        ),
        uses=_each(table.uses),
        origins=_origins(table),
    )


def _each(items: list[str] | None) -> tuple[str, ...]:
    return tuple(items or ())


def _cookie(name: str, table: CookieTable) -> Cookie:
    return Cookie(
        name=name,
        lifetime=table.lifetime if isinstance(table.lifetime, Duration) else None,
        path=table.path or "/",
        domain=table.domain,
    )


def _origins(table: OriginsTable) -> Origins:
    listed = ((directive, getattr(table, directive)) for directive in DIRECTIVES)
    return tuple((directive, tuple(origins)) for directive, origins in listed if origins)


def _paths(words: WordingTable) -> dict[str, str]:
    texts = {"change": words.change}
    for key, category in words.categories.items():
        texts |= {f"categories.{key}.title": category.title, f"categories.{key}.text": category.text}
    for key, service in words.services.items():
        texts |= {f"services.{key}.{name}": getattr(service, name) for name in type(service).model_fields}
    return {path: text for path, text in texts.items() if text is not None}

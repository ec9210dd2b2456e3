"""Template calls name what is wrong with their arguments, as they do with what the arguments say."""

import pytest
from flask import Flask, render_template_string

#: Call → what is said of it.
WRONG = {
    "consent_pixel('statistics', src='/p.gif', alt='x')": (
        """consent_pixel("statistics"): 'alt' can't be given here; expected key and src. Take it out."""
    ),
    "consent_pixel('statistics')": 'consent_pixel("statistics"): src is missing; expected key and src. Add src=…',
    "consent_pixel('statistics', scr='/p.gif')": """expected key and src. Did you mean "src"?""",
    "consent_pixel('statistics', '/p.gif', src='/p.gif')": "src is given twice, once by its place",
    "consent_pixel()": "consent_pixel: key and src are missing",
    "consent_script('statistics')": "src is missing; expected key and src and attributes by name. Add src=…",
    "consent_script('statistics', '/a.js', 'async')": "values without a name: 3, that is too many",
    "consent_script('statistics', src=none)": "src is 'None'; expected an address",
    "consent_embed('videos', src='/v')": 'consent_embed("videos"): title is missing; expected key, src and title',
    "consent_embed('videos', src='/v', title=none)": "title is empty; expected words",
    "consent_block('statistics')": 'expected a body. Write {% call consent_block("key") %}…{% endcall %}.',
    "consent_block('statistics', x=1)": "'x' can't be given here; expected key. Take it out.",
    "consent_head(nounce='x')": """consent_head: 'nounce' can't be given here; expected nonce and inert. Did you""",
    "consent_head('x', true)": "consent_head: values without a name: 2, that is too many; expected nonce and inert",
    "consent_banner('x')": "consent_banner: values without a name: 1, that is too many; expected nothing. Take",
    "consent_link(title='x')": "consent_link: 'title' can't be given here; expected text. ",
    "consent_declaration(language='de')": "'language' can't be given here; expected nothing. Take it out.",
    "consent_signal(x=1)": "consent_signal: 'x' can't be given here; expected nothing. Take it out.",
}


@pytest.mark.parametrize("call", WRONG)
def test_arguments_that_a_call_does_not_take_are_named_with_what_it_takes(app: Flask, call: str) -> None:
    with app.test_request_context("/"), pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is compared
        render_template_string(f"{{{{ {call} }}}}")
    assert WRONG[call] in str(raised.value)


def test_every_call_names_them(app: Flask) -> None:
    calls = {name for name in app.jinja_env.globals if name.startswith("consent_")}
    assert calls == {call.partition("(")[0] for call in WRONG}


def test_a_mistake_of_what_a_block_holds_stays_what_it_is(app: Flask) -> None:
    page = "{% call consent_block('essential') %}{{ 1 + 'x' }}{% endcall %}"
    with app.test_request_context("/"), pytest.raises(TypeError, match="unsupported operand"):
        render_template_string(page)

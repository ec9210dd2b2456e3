"""Numbers and dates that a line doesn't break in two."""

import re
from typing import Final

from markupsafe import Markup, escape

#: A date, at whose hyphens browsers break, and a percentage with its space; in text that is escaped.
_WHOLE: Final = re.compile(r"\d{4}-\d\d-\d\d|(?:&[lg]t; )?\d[\d.]* %")


def unbroken(text: str) -> Markup:
    """*text*, each date and percentage in it on one line. Its letters stay as they are: it is copied and found."""
    return Markup(_WHOLE.sub(r'<span class="pc-whole">\g<0></span>', str(escape(text))))

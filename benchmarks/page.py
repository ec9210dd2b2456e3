"""What all measured sites have in common: a secret key, and a page in the syntax that Jinja and Django share."""

KEY = "a secret key for measuring, which keeps nothing secret"
#: What the page lists.
ITEMS = tuple(f"Appointment {number}" for number in range(1, 21))

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{{ title }}</title>
  <link rel="stylesheet" href="/static/site.css">
  @head@
</head>
<body>
  @top@
  <header><a href="/">Clinic</a></header>
  <main>
    <h1>{{ title }}</h1>
    <ul>{% for item in items %}<li><a href="/appointments">{{ item }}</a></li>{% endfor %}</ul>
  </main>
  <footer>@foot@</footer>
</body>
</html>
"""


def source(*, head: str = "", top: str = "", foot: str = "") -> str:
    """The template's text with the component's calls in ``<head>``, at the top of ``<body>`` and in the footer."""
    return _PAGE.replace("@head@", head).replace("@top@", top).replace("@foot@", foot)

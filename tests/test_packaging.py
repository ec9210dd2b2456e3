"""The built wheel and the editable install, used from outside the checkout, as a site would use them."""

import ast
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

POLICY = """
revision = 1
effective = 2026-11-01
language = "en"
controller = { name = "Clinic", site = "https://clinic.example", contact = "privacy@clinic.example" }

[services.visits]
category = "performance"
purposes = ["measurement"]
text = "Counts visits."
cookies = { visits = "30 days" }
"""

#: Prints the folder that `consent` came from once a page and all that its head names have been served.
SITE = """
import sys
from html.parser import HTMLParser
from pathlib import Path

import consent
from flask import Flask, render_template_string

app = Flask("site", root_path=sys.argv[1], instance_path=sys.argv[1] + "/instance")
app.config.update(SECRET_KEY="for this test", CONSENT_DATABASE="sqlite://")
consent.Consent().init_app(app)


@app.get("/")
def home():
    return render_template_string("<head>{{ consent_head() }}</head><body>{{ consent_banner() }}</body>")


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.styles, self.scripts, self.classes = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.classes.update((attributes.get("class") or "").split())
        if tag == "link" and attributes["rel"] == "stylesheet":
            self.styles.append(attributes["href"])
        if tag == "script":
            self.scripts.append(attributes["src"])


client = app.test_client()
answer = client.get("/")
assert answer.status_code == 200, answer.status
page = Page(answer.text)
assert "pc-banner" in page.classes, answer.text
assert page.styles and page.scripts, answer.text
for addresses, kind in ((page.styles, "text/css"), (page.scripts, "text/javascript")):
    for address in addresses:
        served = client.get(address)
        assert (served.status_code, served.mimetype) == (200, kind), (address, served.status, served.mimetype)
        assert served.data, address
centre = client.get("/privacy-choices")
assert centre.status_code == 200, centre.status
print(Path(consent.__file__).parent)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(CHECKOUT))
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it."""
    environment = new_environment(tmp_path_factory.mktemp("installed"))
    install(environment, *map(str, built.glob("*.whl")))
    return environment


def new_environment(parent: Path) -> Path:
    """A new virtual environment that finds the packages of the present one, but not its `consent`."""
    folder = parent / "environment"
    venv.create(folder, symlinks=True)
    # Python doesn't follow the .pth files of a folder added like this, so no editable install comes along.
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    assert not can_import(folder, "consent")
    return folder


def run(*command: str, cwd: str = "/") -> str:
    """What *command* printed; a failure shows all it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def can_import(environment: Path, module: str) -> bool:
    """Whether *environment* finds *module*, from outside the checkout."""
    command = [str(environment / "bin" / "python"), "-I", "-c", f"import {module}"]
    return subprocess.run(command, cwd="/", capture_output=True).returncode == 0


def install(environment: Path, *what: str) -> None:
    """Installs *what* with the present pip, asking no registry."""
    python = str(environment / "bin" / "python")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--force-reinstall"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, *what)


def served_from(environment: Path, tmp_path: Path) -> Path:
    """The folder of the `consent` that served a page, its style, its script and the preference centre."""
    (tmp_path / "consent.toml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "site.py").write_text(SITE, encoding="utf-8")
    return Path(
        run(str(environment / "bin" / "python"), "-I", str(tmp_path / "site.py"), str(tmp_path)).strip()
    )


def shipped() -> set[str]:
    """Every file that a site needs, by the path it has in the wheel."""
    inside = {"consent": "consent", "static": "consent/static", "templates": "consent/templates"}
    return {
        f"{target}/{file.relative_to(CHECKOUT / source).as_posix()}"
        for source, target in inside.items()
        for file in (CHECKOUT / source).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_wheel_holds_each_file_of_the_package_and_nothing_else(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert files == shipped()
    assert {"consent/py.typed", "consent/static/choices.js", "consent/templates/consent/banner.html"} <= files
    assert "consent/policy/starter.toml" in files
    assert [name for name in files if name.endswith(".po")]


def test_the_oldest_click_that_may_be_installed_has_what_the_commands_use() -> None:
    names = {
        ast.unparse(node)
        for file in (CHECKOUT / "consent" / "cli").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Subscript)
    }
    generic = any(name.startswith("click.ParamType[") for name in names)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [oldest] = [each.partition(">=")[2] for each in project["dependencies"] if each.startswith("click")]
    # Types of parameters are generic from 8.4 on; before, a subscript ends the import.
    assert tuple(map(int, oldest.split("."))) >= ((8, 4) if generic else (8, 0))


def test_the_sdist_holds_what_the_checkout_is_worked_with(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "constraints.txt", "dev.py", "tests/conftest.py"} <= files
    assert {"static/choices.js", "templates/consent/banner.html", "demo_site/__main__.py"} <= files


def test_the_wheel_serves_banner_style_and_script_outside_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    assert served_from(installed, tmp_path).is_relative_to(installed)


def test_the_editable_install_serves_the_same_from_the_checkout(tmp_path: Path) -> None:
    environment = new_environment(tmp_path)
    install(environment, "--editable", str(CHECKOUT))
    assert served_from(environment, tmp_path) == CHECKOUT / "consent"


def test_the_flask_command_finds_the_consent_commands_of_an_installed_wheel(installed: Path) -> None:
    python = str(installed / "bin" / "python")
    assert "init" in run(python, "-I", "-m", "flask", "consent", "--help")

"""The sites that are visited: one plain page, with each of those that ask for consent, set up as documented."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, abort, render_template
from jinja2 import DictLoader

from benchmarks import npm
from benchmarks.browser.banner import Banner
from benchmarks.environment import PATIENCE, Unavailable
from benchmarks.page import ITEMS, KEY, source
from benchmarks.report import OURS
from benchmarks.weight import packed
from consent import Consent

HERE = Path(__file__).parent
#: Where a browser can look up a file's kind.
KINDS = {"css": "text/css", "js": "text/javascript"}
C15T = ("@c15t/react@2.2.1", "react@19.2.0", "react-dom@19.2.0", "esbuild@0.28.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody else's: its *release*, *how* it was set up, what stands in the page, and its banner's parts.

    ``files`` gives the files that the page loads, by name; Unavailable if they can't be had.
    """

    name: str
    release: str
    how: str
    banner: Banner
    head: str = ""
    foot: str = ""
    files: Callable[[], Mapping[str, bytes]]
    apart: Callable[[], str] | None = None
    """What else should be said of its files."""

    def site(self, folder: Path) -> Flask:
        """The plain page with it."""
        files = self.files()
        app = page(head=self.head, foot=self.foot)

        def file(name: str) -> Response:
            found = files.get(name)
            return abort(404) if found is None else Response(found, mimetype=KINDS[name.rpartition(".")[2]])

        app.add_url_rule("/files/<path:name>", "file", file)
        return app


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The component itself, as a site has it after ``Consent(app)``."""

    name: str = OURS
    release: str = "this checkout"
    how: str = "three calls in the template, and a policy; `answers.js` comes on top once somebody answers"
    banner: Banner

    def site(self, folder: Path) -> Flask:
        """The plain page with it; its database lies in *folder*."""
        app = page(
            instance=folder,
            head="{{ consent_head() }}",
            top="{{ consent_banner() }}",
            foot="{{ consent_link() }}",
        )
        app.config["CONSENT_POLICY"] = HERE / "policy.toml"
        Consent(app)
        return app


def page(*, instance: Path | None = None, **places: str) -> Flask:
    """A site with the plain page, and what stands in its *places*."""
    app = Flask(__name__, instance_path=str(instance) if instance else None, static_folder=None)
    app.config["SECRET_KEY"] = KEY
    app.jinja_loader = DictLoader({"page.html": source(**places)})
    app.add_url_rule("/", "page", lambda: render_template("page.html", title="Appointments", items=ITEMS))
    app.add_url_rule("/static/site.css", "style", lambda: Response(STYLE, mimetype=KINDS["css"]))
    return app


#: The page's own look: what browsers do without any, and room for words.
STYLE = "body { margin: 1rem; font-family: sans-serif; line-height: 1.5; }"


def of(package: str, release: str, own: str, *names: str) -> Callable[[], Mapping[str, bytes]]:
    """The files *names* of *package*, and as ``set-up.js`` its *own* that lies beside this module."""

    def read() -> Mapping[str, bytes]:
        folder = npm.unpacked(package, release)
        return {"set-up.js": (HERE / own).read_bytes()} | {
            name: (folder / name).read_bytes() for name in names
        }

    return read


def bundle(*, only: str = "") -> Mapping[str, bytes]:
    """c15t's provider, banner and dialog with React, as esbuild packs them; or *only* what this script imports."""
    home = npm.installed("c15t", *C15T)
    entry = home / ("only.jsx" if only else "c15t.jsx")
    entry.write_text(only or (HERE / "c15t.jsx").read_text())
    [esbuild] = home.glob("node_modules/@esbuild/*/bin/esbuild")
    made = home / "made"
    command = [str(esbuild), str(entry), "--bundle", "--minify", "--jsx=automatic", f"--outdir={made}"]
    done = subprocess.run(
        [*command, '--define:process.env.NODE_ENV="production"', "--log-level=error"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise Unavailable(f"c15t can't be bundled here: {done.stderr.strip().splitlines()[-1]}")
    return {
        f"{entry.stem}.{kind}": path.read_bytes()
        for kind in KINDS
        if (path := made / f"{entry.stem}.{kind}").exists()
    }


def react() -> str:
    """What React's part in c15t's script weighs."""
    alone = 'import { createRoot } from "react-dom/client"; createRoot(document.body).render(null);'
    size = packed(bundle(only=alone)["only.js"])
    return f"React alone makes {size:,} B of its script, which a site that is built with React loads anyway"


SITES: tuple[Ours | Peer, ...] = (
    Ours(
        banner=Banner(
            root=".pc-place, #pc-dialog",
            reject=".pc-banner button[value=none]",
            accept=".pc-banner button[value=all]",
            choose=".pc-banner [commandfor=pc-dialog]",
            choices="#pc-dialog",
        )
    ),
    Peer(
        name="vanilla-cookieconsent",
        release="3.1.0",
        how="style sheet and scripts with `defer` as in its “Getting started”, and `hideFromBots: false`, without "
        "which it shows a browser driven by a program no banner at all",
        banner=Banner(
            root="#cc-main",
            reject="#cc-main .cm [data-role=necessary]",
            accept="#cc-main .cm [data-role=all]",
            choose="#cc-main .cm [data-role=show]",
            choices="#cc-main .pm",
        ),
        head='<link rel="stylesheet" href="/files/dist/cookieconsent.css">',
        foot='<script defer src="/files/dist/cookieconsent.umd.js"></script>'
        '<script defer src="/files/set-up.js"></script>',
        files=of(
            "vanilla-cookieconsent",
            "3.1.0",
            "vanilla-cookieconsent.js",
            "dist/cookieconsent.umd.js",
            "dist/cookieconsent.css",
        ),
    ),
    Peer(
        name="Klaro",
        release="0.7.22",
        how="the build with styles and texts inside, as its README says, and `acceptAll: true`, without which it has "
        "no button that accepts all",
        banner=Banner(
            root="#klaro",
            reject="#klaro .cookie-notice .cn-decline",
            accept="#klaro .cookie-notice .cm-btn-success",
            choose="#klaro .cookie-notice .cn-learn-more",
            choices="#klaro .cookie-modal .cm-modal",
        ),
        head='<script defer src="/files/set-up.js"></script><script defer src="/files/dist/klaro.js"></script>',
        files=of("klaro", "0.7.22", "klaro.js", "dist/klaro.js"),
    ),
    Peer(
        name="tarteaucitron",
        release="1.34.0",
        how="its minified files, called as in its README, with three services of the site's own",
        banner=Banner(
            root="#tarteaucitronRoot",
            reject="#tarteaucitronAllDenied2",
            accept="#tarteaucitronPersonalize2",
            choose="#tarteaucitronCloseAlert",
            choices="#tarteaucitron",
        ),
        head='<script src="/files/tarteaucitron.min.js"></script><script src="/files/set-up.js"></script>',
        files=of(
            "tarteaucitronjs",
            "1.34.0",
            "tarteaucitron.js",
            "tarteaucitron.min.js",
            "tarteaucitron.services.min.js",
            "css/tarteaucitron.min.css",
            "lang/tarteaucitron.en.min.js",
        ),
    ),
    Peer(
        name="c15t",
        release="2.2.1",
        how="`@c15t/react` with React as in its quickstart, packed by esbuild; in its offline mode, in which no server "
        "takes part",
        banner=Banner(
            root="[data-testid^=consent-]",
            reject="[data-testid=consent-banner-reject-button]",
            accept="[data-testid=consent-banner-accept-button]",
            choose="[data-testid=consent-banner-customize-button]",
            choices="[data-testid=consent-dialog-root]",
        ),
        head='<link rel="stylesheet" href="/files/c15t.css">',
        foot='<script src="/files/c15t.js"></script>',
        files=bundle,
        apart=react,
    ),
)

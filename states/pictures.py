"""The screenshots in docs/images: sheets on which many states are seen beside each other, and languages, and widths."""

import base64
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from states.clinic import OURS, Clock, Visitor, site
from states.desk import pages as desk_pages
from states.languages import Languages
from states.sheet import ROOT, document, quoted
from states.visits import ASKING, CHOOSING, EMBEDS, ERASING, MINE, PROVING, SIGNALS, WRONG, State, states

IMAGES = ROOT / "docs" / "images"
THEMES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
    "contrast": {"color_scheme": "light", "contrast": "more"},
    "print": {"color_scheme": "light", "media": "print"},
}
#: What stands together on one sheet.
SHEETS = {
    "asking": (ASKING,),
    "choosing": (CHOOSING,),
    "mine": (MINE,),
    "proof": (PROVING, ERASING),
    "signals": (SIGNALS,),
    "rest": (EMBEDS, WRONG),
}
#: What WCAG 2.2, 1.4.12 lets readers set.
SPACED = """* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-block-end: 2em !important }"""
#: The states that are looked at in every width.
USUAL = (
    "Banner, first visit",
    "Asking again: what changed",
    "Preference centre as a dialog",
    "Preference centre with answers, details open",
    "With a history",
    "Declaration",
    "Placeholder of an embed",
    "409: the notice has changed meanwhile",
)
#: The windows on these: width, height, scale, and how many stand beside each other. 1280 pixels at 400 % are 320.
WINDOWS = {
    "width-320": (320, 640, 0.75, 8),
    "width-768": (768, 1024, 0.5, 4),
    "width-1280": (1280, 800, 0.5, 3),
    "width-3840": (3840, 2160, 0.25, 2),
    "zoom-400": (320, 200, 0.75, 4),
}
#: How the auditor's desk is looked at: width and scale of its windows, and how many stand beside each other.
DESKS = {"light": (1000, 0.5, 4), "dark": (1000, 0.5, 4), "forced": (1000, 0.5, 4), "print": (700, 0.5, 6)}
#: From right to left, and without spaces between words.
SCRIPTS = ("ar", "he", "ja", "zh-Hans")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A window of *width* and *height* CSS pixels on a page, drawn at *scale*; *whole*: as high as the page."""

    name: str
    html: str
    width: int
    height: int
    scale: float
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file: its *frames* in columns of *column* pixels, under the browser's *media*."""

    name: str
    frames: tuple[Frame, ...]
    columns: int
    column: int
    media: dict[str, Any] = field(default_factory=dict)


def take(only: str | None = None) -> Iterator[Path]:
    """Take each picture whose name begins with *only* and write it; the files, as they are written."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        found = tuple(states(Path(folder)))
        wanted = [each for each in pictures(found, Path(folder)) if each.name.startswith(only or "")]
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CONSENT_CHROMIUM"), args=["--no-sandbox", "--hide-scrollbars"]
        )
        for picture in wanted:
            file = IMAGES / f"{picture.name}.png"
            file.write_bytes(taken(browser, picture))
            yield file


def pictures(found: tuple[State, ...], folder: Path) -> Iterator[Picture]:
    """All pictures of the states that were *found*."""
    for theme, media in THEMES.items():
        for sheet, groups in SHEETS.items():
            frames = [framed(each, 800, 600, 0.5) for each in found if each.group in groups]
            yield Picture(name=f"{theme}-{sheet}", frames=tuple(frames), columns=4, column=400, media=media)
    usual = [next(each for each in found if each.name == name) for name in USUAL]
    for name, (width, height, scale, columns) in WINDOWS.items():
        frames = [framed(each, width, height, scale) for each in usual]
        if height < 480:  # where it is in how high the window is that everything shows
            frames = [replace(frame, whole=False) for frame in frames]
        yield Picture(name=name, frames=tuple(frames), columns=columns, column=int(width * scale))
    spaced = [framed(each, 400, 640, 0.75, style=SPACED) for each in usual]
    yield Picture(name="spacing", frames=tuple(spaced), columns=6, column=300)
    placed = [framed(placement, width, 800, 0.5) for width in (1280, 390) for placement in placements(folder)]
    yield Picture(name="placements", frames=tuple(placed), columns=3, column=640)
    languages = Languages.made(folder / "languages")
    tags = languages.banners()
    for number, some in enumerate((tags[:16], tags[16:]), start=1):
        banners = [framed(each, 390, 560, 0.75) for each in some]
        yield Picture(name=f"languages-{number}", frames=tuple(banners), columns=6, column=292)
    pages = [languages.see(path, tag) for tag in SCRIPTS for path in (OURS, f"{OURS}/mine")]
    dialogs = [replace(languages.see("/", tag), opened="dialog") for tag in SCRIPTS]
    scripts = [framed(each, 640, 800, 0.5) for each in pages + dialogs]
    yield Picture(name="scripts", frames=tuple(scripts), columns=6, column=320)
    desk = tuple(desk_pages(folder / "desk"))
    for theme, (width, scale, columns) in DESKS.items():
        yield Picture(
            name=f"desk-{theme}",
            frames=tuple(framed(each, width, 600, scale) for each in desk),
            columns=columns,
            column=int(width * scale),
            media=THEMES[theme],
        )
    phones = tuple(framed(each, 320, 640, 0.75) for each in desk)
    yield Picture(name="desk-phone", frames=phones, columns=7, column=240, media=THEMES["dark"])


def placements(folder: Path) -> Iterator[State]:
    """The banner on a site in *folder*, wherever that may put it."""
    for placement in ("bottom", "bottom-start", "top"):
        app = site(folder / placement, Clock(), CONSENT_PLACEMENT=placement)
        yield State(ASKING, placement, Visitor(app.test_client()).see("/"))


def names() -> list[str]:
    """The names of all pictures."""
    themes = [f"{theme}-{sheet}" for theme in THEMES for sheet in SHEETS]
    desks = [f"desk-{theme}" for theme in (*DESKS, "phone")]
    return [*themes, *desks, *WINDOWS, "spacing", "placements", "languages-1", "languages-2", "scripts"]


def framed(state: State, width: int, height: int, scale: float, *, style: str = "") -> Frame:
    """The window on *state*: pages of ours are seen whole, what lies over a page as it lies there."""
    html = document(state)
    if style:
        html = html.replace("</head>", f"<style>{style}</style></head>")
    over = ('class="pc pc-place"' in html and "pc-banner" in html) or state.opened == "dialog"
    return Frame(name=state.name, html=html, width=width, height=height, scale=scale, whole=not over)


def taken(browser: Browser, picture: Picture) -> bytes:
    """*picture* as a PNG file."""
    gap = 12
    page = browser.new_page(viewport={"width": picture.columns * (picture.column + gap) + gap, "height": 200})
    with tempfile.NamedTemporaryFile("w", suffix=".html", dir=ROOT / "docs", encoding="utf-8") as file:
        file.write(laid_out(picture, gap))
        file.flush()
        page.emulate_media(reduced_motion="reduce", **picture.media)
        page.goto(Path(file.name).as_uri())
        page.evaluate(FIT)
        page.wait_for_timeout(200)
        png = page.screenshot(full_page=True)
    small = reduced(page, png)
    page.close()
    return small


#: A frame as high as its page is, or at least as it has to be; a page of ours ends where its content does.
FIT = """async () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const { readyState } = frame.contentDocument;
    if (readyState !== "complete") await new Promise((done) => frame.addEventListener("load", done));
    await frame.contentDocument.fonts.ready;
    if (!("whole" in frame.dataset)) continue;
    frame.style.height = "100px";
    const high = Math.min(frame.contentDocument.documentElement.scrollHeight, 1800);
    frame.style.height = `${high}px`;
    frame.parentElement.style.height = `${high * frame.dataset.scale}px`;
  }
}"""


def laid_out(picture: Picture, gap: int) -> str:
    """The page that is photographed."""
    return f"""<!doctype html><meta charset="utf-8"><style>
    body {{ margin: {gap}px; columns: {picture.columns}; column-gap: {gap}px; background: #666; color: #fff }}
    body {{ font: 12px/16px sans-serif; forced-color-adjust: none }}
    div {{ break-inside: avoid; margin-block-end: {gap}px }} p {{ margin: 0 }}
    b {{ display: block; overflow: hidden }}
    iframe {{ border: 0; transform-origin: 0 0; background: Canvas; forced-color-adjust: auto }}
    </style>{"".join(map(boxed, picture.frames))}"""


def boxed(frame: Frame) -> str:
    """*frame* with its name above it."""
    return (
        f"<div><p>{escape(frame.name)}</p>"
        f'<b style="width: {frame.width * frame.scale}px; height: {frame.height * frame.scale}px">'
        f'<iframe data-scale="{frame.scale}" {"data-whole" if frame.whole else ""} style="width: {frame.width}px; '
        f'height: {frame.height}px; transform: scale({frame.scale})" srcdoc="{quoted(frame.html)}"></iframe></b></div>'
    )


#: The pixels of a PNG file as numbers in a palette of its most frequent colours, compressed.
REDUCE = """async ([png, most]) => {
  const bytes = Uint8Array.from(atob(png), (each) => each.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const { width, height } = image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const counted = new Map();
  for (const pixel of pixels) counted.set(pixel, (counted.get(pixel) ?? 0) + 1);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const far = (one, other) => parts(one).reduce((sum, part, i) => sum + (part - parts(other)[i]) ** 2, 0);
  const nearer = (colour) => (best, each, i) => (far(colour, each) < far(colour, palette[best]) ? i : best);
  // What is frequent and unlike all that are taken already comes next: else shades of one ground take every place.
  let free = [...counted].sort(([, one], [, other]) => other - one).slice(0, 500);
  free = free.map(([colour, count]) => ({ colour, often: Math.sqrt(count), apart: Infinity }));
  const palette = [];
  while (palette.length < Math.min(most, free.length)) {
    const next = free.reduce((best, each) => (each.often * each.apart > best.often * best.apart ? each : best));
    palette.push(next.colour);
    for (const each of free) each.apart = Math.min(each.apart, far(each.colour, next.colour));
  }
  const nearest = new Map([...counted.keys()].map((colour) => [colour, palette.reduce(nearer(colour), 0)]));
  const line = 1 + Math.ceil(width / 2);
  const lines = new Uint8Array(line * height);
  pixels.forEach((pixel, i) => {
    const across = i % width;
    lines[Math.floor(i / width) * line + 1 + (across >> 1)] |= nearest.get(pixel) << (across % 2 ? 0 : 4);
  });
  let text = "";
  for (const byte of lines) text += String.fromCharCode(byte);
  return [width, height, palette.flatMap(parts), btoa(text)];
}"""
MOST_COLOURS = 16


def reduced(page: Page, png: bytes) -> bytes:
    """The same picture in few colours (PNG, third edition, 11.2: palette), a quarter as large."""
    width, height, palette, lines = page.evaluate(REDUCE, [base64.b64encode(png).decode(), MOST_COLOURS])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunks(
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)),
            (b"PLTE", bytes(palette)),
            (b"IDAT", zlib.compress(base64.b64decode(lines), 9)),
            (b"IEND", b""),
        )
    )


def chunks(*parts: tuple[bytes, bytes]) -> Iterable[bytes]:
    """The chunks of a PNG file, each with its length and check sum."""
    for kind, data in parts:
        yield struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

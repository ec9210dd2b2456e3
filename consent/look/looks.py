"""How a page can be looked at: windows, themes, placements of the banner, sizes of text."""

from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, TypedDict

Theme = Literal["light", "dark", "more contrast", "forced colours"]


class Media(TypedDict):
    """What a style sheet can ask of a visitor's colours, as Playwright's ``emulate_media`` takes it."""

    color_scheme: Literal["light", "dark"]
    contrast: Literal["no-preference", "more"]
    forced_colors: Literal["none", "active"]


#: The width of each window, and its height, in CSS pixels.
WINDOWS: Final = {320: 640, 390: 844, 768: 1024, 1280: 800, 1920: 1080}
#: What a page is told of its visitor in each theme.
MEDIA: Final[dict[Theme, Media]] = {
    "light": {"color_scheme": "light", "contrast": "no-preference", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "contrast": "no-preference", "forced_colors": "none"},
    "more contrast": {"color_scheme": "light", "contrast": "more", "forced_colors": "none"},
    "forced colours": {"color_scheme": "light", "contrast": "no-preference", "forced_colors": "active"},
}
#: Those that a page is looked at in at every width.
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
#: What ``CONSENT_PLACEMENT`` can be.
PLACEMENTS: Final = ("bottom", "bottom-start", "top")
#: The size of text that a visitor has set.
TEXTS: Final = ("100%", "200%")


@dataclass(frozen=True, slots=True)
class Look:
    """One way to look at a page. Without *placement* the banner stands where the site puts it."""

    width: int
    theme: Theme
    placement: str | None = None
    text: str = "100%"

    @property
    def height(self) -> int:
        """That of the window, in CSS pixels."""
        return WINDOWS[self.width]

    @property
    def values(self) -> tuple[object, ...]:
        """What tells it from others, in one order."""
        return (self.width, self.theme, self.placement, self.text)

    def __str__(self) -> str:
        said = f"{self.width} px, {self.theme}"
        return said if self.text == "100%" else f"{said}, text at {self.text}"


#: Every combination.
ALL: Final = tuple(Look(*values) for values in product(WINDOWS, THEMES, PLACEMENTS, TEXTS))
#: Enough of them that every two values of two kinds meet.
FEW: Final = tuple(
    Look(width, THEMES[(i + k) % 2], placement, TEXTS[(i + k) // 2 % 2])
    for (i, width), (k, placement) in product(enumerate(WINDOWS), enumerate(PLACEMENTS))
)
#: A site's own page: at its narrowest first, on a desk last. Who asks for more contrast or forces colours sees it at
#: one width, and there all counts that is measured elsewhere. Colours that a visitor forces pass as they are; where a
#: style sheet keeps its own (``forced-color-adjust``), those are measured.
SITES: Final = (
    *(Look(320, theme) for theme in THEMES),
    *(Look(390, theme) for theme in MEDIA),
    *(Look(width, theme) for width, theme in product((768, 1280), THEMES)),
)

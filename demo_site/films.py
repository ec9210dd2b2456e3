"""The explaining films, each with its transcript, so that nobody needs to load the film."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Film:
    """One film as the site knows it; the pictures are the third party's."""

    slug: str
    title: str
    length: str
    transcript: tuple[str, ...]
    """One sentence per scene."""


FILMS = {
    film.slug: film
    for film in (
        Film(
            "bill",
            "From visit to bill",
            "0:24",
            (
                "At the clinic, your visit is written down: what was done, and for how long.",
                "Each step gets a code. The same step has the same code in every clinic of the country.",
                "Codes have prices. Your clinic agrees on them with your insurer once a year.",
                "We add up the lines, check them twice and send you one page.",
            ),
        ),
        Film(
            "share",
            "Who pays which part",
            "0:24",
            (
                "Every bill has two parts: your insurer’s and yours.",
                "Your part is the deductible first: what you pay yourself each year before insurance begins.",
                "After that you pay a share of each line, until the yearly limit is reached.",
                "Your page shows both parts beside each other, so that they can be compared.",
            ),
        ),
        Film(
            "wrong",
            "When a line is wrong",
            "0:24",
            (
                "Look for what you do not remember: a test, a second visit, a name.",
                "Write to us or have us call you. The number of the invoice is all we need.",
                "We ask your clinic and your insurer. Meanwhile nothing is due.",
                "You get a corrected page, or a letter that says why the line stays.",
            ),
        ),
    )
}

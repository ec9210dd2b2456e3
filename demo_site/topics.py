"""Health topics: the address alone says what somebody is worried about, so no third party sees these pages."""

from dataclasses import dataclass

from flask import Blueprint, abort, render_template

from demo_site.extensions import consent

blueprint = Blueprint("topics", __name__, url_prefix="/topics")
consent.first_party(blueprint)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; its text is the template of the same name."""

    slug: str
    title: str
    summary: str


TOPICS = {
    topic.slug: topic
    for topic in (
        Topic("sleep", "Sleeping better", "Habits that help, and when to ask for advice."),
        Topic("back-pain", "Living with back pain", "Why moving helps, and which signs need a doctor soon."),
        Topic(
            "blood-pressure",
            "Understanding blood pressure",
            "What the two numbers mean, and how to measure them.",
        ),
    )
}


@blueprint.get("/")
def index() -> str:
    """All topics."""
    return render_template("site/topics.html", topics=TOPICS.values())


@blueprint.get("/<slug>")
def topic(slug: str) -> str:
    """One topic."""
    if slug not in TOPICS:
        abort(404)
    return render_template(f"site/topics/{slug}.html", topic=TOPICS[slug])

"""Fields that more than one of the demo's forms has."""

from typing import Any

from wtforms import RadioField, StringField
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length


def name_field() -> StringField:
    """Who writes."""
    return StringField(
        validators=[DataRequired("form.name_missing"), Length(max=100, message="form.name_long")]
    )


def choice_of(*values: str, missing: str) -> RadioField:
    """One of *values*, or the error text named *missing*."""
    choices: Any = values  # WTForms' type stubs know pairs only, which WTForms itself warns about
    validators = [InputRequired(missing), AnyOf(values, message=missing)]
    return RadioField(choices=choices, validators=validators, validate_choice=False)

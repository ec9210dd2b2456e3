"""Keys other consent tools have and this one refuses: each would make refusing harder, or grant by itself."""

_EASE = "refusing is exactly as easy as accepting (UI-11)"
_ACT = "only a visitor's own act grants (CON-02, CON-08)"
_REJECT = (f"nothing may hide, rename or weaken the buttons: {_EASE}", "Remove it.")
_TICKED = (
    f"nothing is on before the visitor says so: {_ACT}",
    "Remove it; optional services begin switched off.",
)
_IMPLIED = (
    f"there is no mode that allows first and asks later: {_ACT}",
    "Remove it; what a visitor has not granted stays off.",
)
_EXEMPT = (
    "whether something runs without asking follows from its category alone (CON-01)",
    'Remove it; what the site cannot work without has category = "essential".',
)
_BASIS = (
    "storing on a device needs consent or strict necessity; no legitimate interest allows it (CON-09)",
    "Remove it; what is not essential waits for a Yes.",
)
_WALL = (f"the site must work for those who refuse (CON-05), and {_EASE}", "Remove it.")

_TOLD = {
    _REJECT: (
        "accept_color accept_label accept_style banner buttons hide_reject no_reject primary "
        "reject reject_color reject_label reject_style show_reject"
    ),
    _TICKED: "checked default default_on enabled granted on prechecked preselected selected",
    _IMPLIED: "auto_accept consent_mode dismiss implied mode opt_in opt_out scroll timeout",
    _EXEMPT: "always_on exempt mandatory necessary read_only required",
    _BASIS: "basis lawful_basis legal_basis legitimate_interest",
    _WALL: "block_page cookie_wall overlay wall",
}
_REFUSED = {key.replace("_", ""): told for told, keys in _TOLD.items() for key in keys.split()}


def refused(key: str) -> tuple[str, str] | None:
    """What is wrong with *key* and the fix, if it is such a key in any spelling (also ``hide-reject``)."""
    return _REFUSED.get("".join(mark for mark in key.lower() if mark.isalpha()))

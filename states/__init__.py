"""Every state that a visitor can meet, made by visits to a small site and written down as one page."""

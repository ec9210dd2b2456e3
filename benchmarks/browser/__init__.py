"""What a visitor's browser makes of the component, and of others that ask for consent."""

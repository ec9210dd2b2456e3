"""What the component costs, measured beside its peers and the raw limits: ``python3 dev.py bench``."""

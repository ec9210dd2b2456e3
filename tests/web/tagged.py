"""A site with Google's services, some of them carried by its tag manager, and one more company's in the same."""

POLICY = """
revision = 1
effective = 2026-11-01
language = "en"
controller = {{ name = "Clinic", site = "http://localhost", contact = "privacy@clinic.example" }}

[providers]
google = {{ name = "Google LLC", country = "US" }}
heat_co = {{ name = "Heat Co", country = "US" }}

[categories.advertising]
title = "Advertising"
text = "Shows adverts elsewhere."

[carriers.gtm]
provider = "google"
script = ["{tags}"]

[services.counting]
category = "performance"
provider = "google"
via = "gtm"
purposes = ["measurement"]
title = "Counting"
text = "Counts visits."
data = ["pages", "device"]
retention = "14 months"
sells_or_shares = false
google_consent = ["analytics_storage"]
script = ["{counting}"]

[services.heatmap]
category = "performance"
provider = "heat_co"
via = "gtm"
purposes = ["measurement"]
title = "Heat map"
text = "Shows what is pressed."
data = ["pages"]
retention = "30 days"
sells_or_shares = false
script = ["{heatmap}"]

[services.adverts]
category = "advertising"
provider = "google"
via = "gtm"
purposes = ["advertising"]
title = "Adverts"
text = "Chooses adverts."
data = ["pages", "device"]
retention = "13 months"
sells_or_shares = true
google_consent = ["ad_storage", "ad_user_data", "ad_personalization"]
script = ["{adverts}"]

[services.greeting]
category = "functionality"
purposes = ["preferences"]
title = "Greeting"
text = "Greets by name."
cookies = {{ greeting = "30 days" }}
"""

TYPES = (
    "ad_personalization",
    "ad_storage",
    "ad_user_data",
    "analytics_storage",
    "functionality_storage",
    "personalization_storage",
    "security_storage",
)

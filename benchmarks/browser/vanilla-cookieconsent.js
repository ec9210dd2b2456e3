CookieConsent.run({
  hideFromBots: false, // else it shows a browser that is driven by a program nothing
  categories: {
    necessary: { enabled: true, readOnly: true },
    functionality: {},
    performance: {},
    advertising: {},
  },
  language: {
    default: "en",
    translations: {
      en: {
        consentModal: {
          title: "We use cookies",
          description: "We use cookies for functionality, performance and advertising. We only do that if you say yes.",
          acceptAllBtn: "Accept all",
          acceptNecessaryBtn: "Reject all",
          showPreferencesBtn: "Manage preferences",
        },
        preferencesModal: {
          title: "Manage cookie preferences",
          acceptAllBtn: "Accept all",
          acceptNecessaryBtn: "Reject all",
          savePreferencesBtn: "Save preferences",
          closeIconLabel: "Close",
          sections: [
            {
              title: "Necessary",
              description: "These make the site work and cannot be turned off.",
              linkedCategory: "necessary",
            },
            {
              title: "Functionality",
              description: "Remembers the language you read our pages in.",
              linkedCategory: "functionality",
            },
            {
              title: "Performance",
              description: "Counts visits and the pages read.",
              linkedCategory: "performance",
            },
            {
              title: "Advertising",
              description: "Picks adverts by what you read here.",
              linkedCategory: "advertising",
            },
          ],
        },
      },
    },
  },
});

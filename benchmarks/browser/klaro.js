var klaroConfig = {
  version: 1,
  acceptAll: true,
  translations: {
    en: {
      privacyPolicyUrl: "/privacy",
      purposes: { functionality: "Functionality", performance: "Performance", advertising: "Advertising" },
    },
  },
  services: [
    {
      name: "language",
      title: "Language",
      description: "Remembers the language you read our pages in.",
      purposes: ["functionality"],
      cookies: ["language"],
    },
    {
      name: "visits",
      title: "Visit statistics",
      description: "Counts visits and the pages read.",
      purposes: ["performance"],
      cookies: ["visits"],
    },
    {
      name: "adverts",
      title: "Adverts",
      description: "Picks adverts by what you read here.",
      purposes: ["advertising"],
      cookies: ["adverts"],
    },
  ],
};

import { createRoot } from "react-dom/client";
import { ConsentBanner, ConsentDialog, ConsentManagerProvider } from "@c15t/react";
import "@c15t/react/styles.css";

const options = {
  mode: "offline",
  consentCategories: ["necessary", "functionality", "measurement", "marketing"],
  overrides: { country: "DE" },
};
const place = document.body.appendChild(document.createElement("div"));
createRoot(place).render(
  <ConsentManagerProvider options={options}>
    <ConsentBanner />
    <ConsentDialog />
  </ConsentManagerProvider>,
);

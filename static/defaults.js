/** What Google's tags and tag managers go by, set before any of them. So it is no module: those wait for the page. */
{
  const site = /** @type {any} */ (window);
  const { document } = site;
  const { types, carried } = JSON.parse(document.currentScript.dataset.pcTags);
  const { pcHere, pcGranted } = document.querySelector("[data-pc-granted]").dataset;
  const granted = (pcHere ?? pcGranted).split(" ");
  const may = (key = "") => granted.includes(key);
  site.dataLayer ||= [];
  site.gtag ||= function () {
    site.dataLayer.push(arguments);
  };

  const say = (command = "", allows = may, states = /** @type {any} */ ({})) => {
    for (const type in types) states[type] = types[type].every(allows) ? "granted" : "denied";
    site.gtag("consent", command, states);
  };
  const keys = Object.values(types).concat(carried).flat();
  let told = "";
  // An answer is told, whatever it is; without one, only what has changed.
  const tell = (allows = may, answered = false) => {
    const on = `${keys.filter(allows)}`;
    if (on === told && !answered) return;
    told = on;
    say("update", allows);
    const refused = carried.filter((key = "") => !allows(key));
    // Without `_clear`, tag managers lay a list over the longer one of before.
    if (carried[0]) site.dataLayer.push({ event: "consent_changed", granted: carried.filter(allows), refused, _clear: true });
  };

  say("default", () => false, { wait_for_update: 500 });
  tell();
  document.addEventListener("consent:changed", (/** @type {any} */ { detail }) => tell(site.consent.allows, detail.ok));
}

/**
 * Tells the site of Global Privacy Control where only scripts can see it: the page's request came without the header.
 * It comes after `choices.js`, whose answer it narrows, and before `kept.js` and `gated.js`, which go by that.
 */

/** @type {any} */
const { dataset } = document.querySelector("script[data-pc-stops]");
/** @type {any} */
const { pcUrl, pcGranted } = /** @type {any} */ (document.querySelector("script[data-pc-url]")).dataset;
const { consent } = /** @type {any} */ (window);

// Where this page still runs what has ended, it is loaded anew, as other tabs are.
const tell = () => {
  const tabs = new BroadcastChannel("pc");
  tabs.postMessage(0);
  tabs.close();
};

if (/** @type {any} */ (navigator).globalPrivacyControl === true) {
  const { allows } = consent;
  const refused = dataset.pcStops.split(" ");
  // With each question of `choices.js`; proxies may keep the browser's own from the server.
  consent.headers = { "PC-Signal": "1" };
  consent.allows = (key = "") => !refused.includes(key) && allows(key);
  if (dataset.pcStops) {
    const granted = pcGranted.split(" ").filter((/** @type {string} */ key) => !refused.includes(key));
    document.dispatchEvent(new CustomEvent("consent:changed", { detail: { granted, refused } }));
  }
  // With each answer, sent by a script or by the browser itself.
  addEventListener("formdata", (/** @type {any} */ { target, formData }) => {
    if (target.getAttribute("action") === pcUrl) formData.set("signal", "1");
  });
  if ("pcTell" in dataset) {
    fetch(pcUrl, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams("choice=opt_out&from=signal"),
    }).then(({ ok }) => {
      if (ok && document.readyState === "complete") tell();
      else if (ok) addEventListener("pageshow", tell);
    }, console.warn);
  }
}

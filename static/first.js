/**
 * For pages from a cache, before anything is painted: whoever has answered sees no banner, nor in an embed's place that
 * it is off. It goes by a cookie that anybody can write, until the server has said what holds; nothing runs by it.
 */
(() => {
  const root = document.documentElement;
  const { pcName, pcPolicy, pcWaits } = /** @type {HTMLScriptElement} */ (document.currentScript).dataset;
  const found = document.cookie.match(`${pcName}=${pcPolicy}((?:\\.\\w+)*)`);
  const decided = (so = false) => root.classList.toggle("pc-decided", so);
  decided(!!found || pcWaits === "");

  document.addEventListener("consent:changed", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    decided(detail.decided);
    const banner = document.querySelector(".pc-place > .pc-banner");
    if (detail.again && banner?.previousElementSibling?.className !== "pc-again") {
      banner?.before(Object.assign(document.createElement("p"), { className: "pc-again", textContent: detail.again }));
    }
    for (const place of document.querySelectorAll(".pc-signal:empty")) place.textContent = detail.signal;
    clearTimeout(silence);
    hide(detail.granted);
  });

  const sheet = new CSSStyleSheet();
  /** Until it comes to life: the places of embeds of these services and categories. @param {string[]} keys */
  const hide = (keys = []) => {
    const places = keys.map((key) => `:is([data-service="${key}"], [data-category="${key}"])`);
    sheet.replaceSync(places.map((place) => `${place}[data-pc-instead] + .pc-embed { visibility: hidden !important }`).join(""));
  };
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  hide(found?.[1].split(".").slice(1));
  const silence = setTimeout(hide, 3000);
})();

/**
 * Brings to life what stands inert in a page until its service may run, and clears what services have kept in the
 * browser that may not. It comes after `choices.js`, whose answer it goes by.
 */

/** @type {any} */
const { dataset } = document.querySelector("script[data-pc-storage]");
/** What each service keeps, as pairs of kind and name. @type {Record<string, [string, string][]>} */
const declared = JSON.parse(dataset.pcStorage);
/** @type {(key: string) => boolean} */
const allows = (key) => /** @type {any} */ (window).consent.allows(key);

const INERT = "script[type='text/plain'], template, [data-src], [data-srcset], [data-href]";
/** One after the other, as in a page that was made with them. */
let line = Promise.resolve();

/** A script that runs, with all that the inert one says. @param {any} old */
function running(old) {
  const made = document.createElement("script");
  for (const { name, value } of old.attributes) {
    if (!["type", "data-type", "data-src"].includes(name)) made.setAttribute(name, value);
  }
  const { type = old.type === "text/plain" ? "" : old.type, src } = old.dataset;
  if (type) made.type = type;
  made.nonce = old.nonce; // which attributes don't tell
  made.async = old.hasAttribute("async");
  made.text = old.text;
  if (src) made.src = src;
  return made;
}

/** Puts a script into its place, and waits until it has run, unless it says `async`. @param {any} place @param {any} made */
async function run(place, made) {
  const ran = new Promise((done) => (made.onload = made.onerror = done));
  place.replaceWith(made);
  if (made.src && !made.async) await ran;
}

/** @param {any} element */
async function revive(element) {
  const { service, category, ...data } = element.dataset;
  if (!element.isConnected || !(service || category)) return;
  if (![service, category].every((key) => !key || allows(key))) return;
  if (element.localName === "script") await run(element, running(element));
  else if (element.localName === "template") {
    const content = element.content.cloneNode(true);
    const scripts = [...content.querySelectorAll("script")].map((old) => {
      const place = document.createComment("");
      old.replaceWith(place);
      return [place, running(old)];
    });
    element.replaceWith(content);
    for (const [place, made] of scripts) await run(place, made);
  } else {
    for (const name of ["src", "srcset", "href"].filter((each) => each in data)) {
      element.removeAttribute(`data-${name}`);
      element.setAttribute(name, data[name]);
    }
  }
}

/** Those of *root*, and itself, in the order of the page. @param {any} root */
function reviveAll(root) {
  const found = [...(root.matches?.(INERT) ? [root] : []), ...(root.querySelectorAll?.(INERT) ?? [])];
  for (const element of found) line = line.then(() => revive(element)).catch(console.error);
}

/** Whether a declared name, in which * stands for any text, is the name of something kept. */
const matches = (pattern = "", name = "") =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^]*")}$`).test(name);

/** What a browser refuses to show can't be kept there either. @param {() => any} look */
async function attempt(look) {
  try {
    return await look();
  } catch {
    return null;
  }
}

/** @param {string[]} allowed */
async function clear(allowed) {
  const all = Object.entries(declared).flatMap(([key, items]) => items.map((item) => [allowed.includes(key), ...item]));
  const goes = (kind = "", name = "") => {
    const found = all.filter(([, itsKind, pattern]) => itsKind === kind && matches(`${pattern}`, name));
    return found.length > 0 && !found.some(([may]) => may);
  };
  for (const [kind, area] of [
    ["local", () => localStorage],
    ["session", () => sessionStorage],
  ]) {
    const store = await attempt(/** @type {() => Storage} */ (area));
    for (const name of Object.keys(store ?? {})) if (goes(`${kind}`, name)) store.removeItem(name);
  }
  // Some browsers don't list their databases; then names that are written out have to do.
  const exact = all.filter(([, kind, name]) => kind === "indexeddb" && !`${name}`.includes("*"));
  const databases = (await attempt(() => indexedDB.databases())) ?? exact.map(([, , name]) => ({ name }));
  for (const { name } of databases) if (goes("indexeddb", name)) indexedDB.deleteDatabase(name);
  for (const name of (await attempt(() => caches.keys())) ?? []) if (goes("cache", name)) caches.delete(name);
}

reviveAll(document);
clear(dataset.pcElsewhere.split(" "));
document.addEventListener("consent:changed", (/** @type {any} */ { detail }) => {
  reviveAll(document);
  clear(detail.granted);
});
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) addedNodes.forEach(reviveAll);
}).observe(document, { childList: true, subtree: true });

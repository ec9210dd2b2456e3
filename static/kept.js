/**
 * Clears what services have kept in the browser that may not run, and what HTMX notes of pages whose address tells
 * something. It comes after `choices.js`, whose answer it goes by.
 */

/** @type {any} */
const { dataset } = document.querySelector("script[data-pc-storage]");
/** What each service keeps, as pairs of kind and name. @type {Record<string, [string, string][]>} */
const declared = JSON.parse(dataset.pcStorage);

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
    // Its keys alone leave out what is called as one of its members: "length".
    const names = Array.from({ length: store?.length ?? 0 }, (_, place) => store.key(place));
    for (const name of names) if (goes(`${kind}`, name)) store.removeItem(name);
  }
  // Some browsers don't list their databases; then names that are written out have to do.
  const exact = all.filter(([, kind, name]) => kind === "indexeddb" && !`${name}`.includes("*"));
  const databases = (await attempt(() => indexedDB.databases())) ?? exact.map(([, , name]) => ({ name }));
  for (const { name } of databases) if (goes("indexeddb", name)) indexedDB.deleteDatabase(name);
  for (const name of (await attempt(() => caches.keys())) ?? []) if (goes("cache", name)) caches.delete(name);
}

// htmx 2 notes each page's address: none of a marked page, and the right one of a page that comes back.
const NOTE = "htmx-current-path-for-history";
const renote = () =>
  attempt(() => {
    const marked = document.querySelector("[data-hx-history]");
    if (NOTE in sessionStorage) sessionStorage[NOTE] = marked ? "" : location.pathname + location.search;
  });
for (const type of ["pageshow", "htmx:pushedIntoHistory", "htmx:replacedInHistory", "htmx:historyRestore"]) {
  addEventListener(type, renote);
}

// A page from a cache learns it later.
if ("pcElsewhere" in dataset) clear(dataset.pcElsewhere.split(" "));
document.addEventListener("consent:changed", (/** @type {any} */ { detail }) => clear(detail.granted));

/** Clears what services have kept in the browser that may not run any more. Only where a policy declares storage. */

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
    for (const name of Object.keys(store ?? {})) if (goes(`${kind}`, name)) store.removeItem(name);
  }
  // Some browsers don't list their databases; then names that are written out have to do.
  const exact = all.filter(([, kind, name]) => kind === "indexeddb" && !`${name}`.includes("*"));
  const databases = (await attempt(() => indexedDB.databases())) ?? exact.map(([, , name]) => ({ name }));
  for (const { name } of databases) if (goes("indexeddb", name)) indexedDB.deleteDatabase(name);
  for (const name of (await attempt(() => caches.keys())) ?? []) if (goes("cache", name)) caches.delete(name);
}

clear(dataset.pcElsewhere.split(" "));
document.addEventListener("consent:changed", (/** @type {any} */ { detail }) => clear(detail.granted));

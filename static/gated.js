/** Brings to life what stands inert in a page until its service may run. It comes after `choices.js`, by whose answer. */

/** @type {(key: string) => boolean} */
const allows = (key) => /** @type {any} */ (window).consent.allows(key);

/** Whose address may wait under which name. @type {Record<string, string>} */
const HOLDERS = { src: "iframe, img, source, video, audio, track, embed", srcset: "img, source", href: "link" };
const INERT = Object.entries(HOLDERS).reduce(
  (found, [name, elements]) => `${found}, :is(${elements})[data-${name}]`,
  "script[type='text/plain'], template",
);
/** Whether something may be loaded from there: never `javascript:` or the like. */
const loadable = (address = "") => /^https?:$/.test(new URL(address, document.baseURI).protocol);
/** One after the other, as in a page that was made with them. */
let line = Promise.resolve();
/** What has been brought to life. */
const done = new WeakSet();
/** Milliseconds that the next one waits for a script that doesn't come. */
const PATIENCE = 10000;

/** What only a script that runs may say; until then it waits under another name. */
const WAITING =
  /^data-(?=(async|blocking|crossorigin|defer|fetchpriority|integrity|nomodule|referrerpolicy|src|type)$)/;

/** A script that runs: a copy of *old*, or with all that it says if it is inert. @param {any} old @param {boolean} inert */
function running(old, inert) {
  const made = document.createElement("script");
  for (const { name, value } of old.attributes) {
    if (!inert) made.setAttribute(name, value);
    else if (name !== "type") made.setAttribute(name.replace(WAITING, ""), value);
  }
  // Which attributes don't tell.
  made.nonce = old.nonce;
  made.async = made.hasAttribute("async");
  made.text = old.text;
  done.add(made);
  return made;
}

/** Puts a script into its place, and waits until it has run, unless it says `async`. @param {any} place @param {any} made */
async function run(place, made) {
  const ran = new Promise((over) => (made.onload = made.onerror = over));
  place.replaceWith(made);
  const loads = made.isConnected && made.src && !made.noModule && /^$|module|javascript/.test(made.type);
  if (loads && !made.async) await Promise.race([ran, new Promise((over) => setTimeout(over, PATIENCE))]);
}

/** @param {any} element */
async function revive(element) {
  const { service, category, ...data } = element.dataset;
  if (done.has(element) || !element.isConnected || !(service || category)) return;
  // Of several services, what carries them needs one.
  if (![service, category].every((keys) => !keys || keys.split(" ").some(allows))) return;
  if (![data.src, data.href, ...(data.srcset ?? "").split(/[\s,]+/)].every(loadable)) return;
  if (element.localName === "script") await run(element, running(element, true));
  else if (element.localName === "template") {
    if ("pcInstead" in data) element.nextElementSibling?.remove();
    const content = element.content.cloneNode(true);
    // Those that are inert in it, too, wait for their own turn.
    const live = [...content.querySelectorAll("script:not([type='text/plain'])")];
    const scripts = live.map((old) => {
      const place = document.createComment("");
      old.replaceWith(place);
      return [place, running(old, false)];
    });
    element.replaceWith(content);
    for (const [place, made] of scripts) await run(place, made);
  } else {
    for (const name of Object.keys(HOLDERS).filter((each) => each in data && element.matches(HOLDERS[each]))) {
      element.removeAttribute(`data-${name}`);
      element.setAttribute(name, data[name]);
    }
    if (element.localName === "source") element.parentElement?.load?.();
  }
}

/** Those of *root*, and itself, in the order of the page. @param {any} root */
function reviveAll(root) {
  const found = [...(root.matches?.(INERT) ? [root] : []), ...(root.querySelectorAll?.(INERT) ?? [])];
  for (const element of found) line = line.then(() => revive(element)).catch(console.error);
}

reviveAll(document);
document.addEventListener("consent:changed", () => reviveAll(document));
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) addedNodes.forEach(reviveAll);
}).observe(document, { childList: true, subtree: true });

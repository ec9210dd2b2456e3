/** What a page does by itself. `answers.js`, which talks with the site, comes when it is needed. All works without them. */

/** @type {(selector: string) => any} */
const find = (selector) => document.querySelector(selector);
const { dataset } = find("script[data-pc-url]");
const { pcUrl, pcGranted, pcHere, pcPossible, pcOwn } = dataset;
const told = location.hash === "#pc-status";
let [native, tabs, before] = /** @type {any[]} */ ([]);

const open = () => !find(".pc-decided") && (find("#pc-dialog:not(:is([open], :popover-open))")?.showModal(), find("#pc-dialog"));
/** @type {(message?: string) => void} */
const show = (message) => {
  const status = find("#pc-status");
  if (!status) return;
  before = document.activeElement;
  if (message) status.firstElementChild.textContent = message;
  status.classList.add("pc-shown");
  status.focus();
};

/** What `answers.js` goes by, and changes. @type {any} */
const page = {
  ...dataset,
  granted: pcGranted.split(" "),
  visit: performance.getEntriesByType("navigation")[0],
  // A page from a cache knows only what is possible on it.
  here: (pcPossible ?? pcHere ?? pcGranted).split(" "),
  failed: find("#pc-status")?.dataset.failed,
  show,
  tell: () => tabs?.postMessage(0),
  // The receipt is its visitor's own business: the page offers it, its address, which others read, is rid of it.
  rename(hash = "") {
    history.replaceState(history.state, "", location.href.split(pcOwn ? /#|.receipt=/ : "#")[0] + hash);
  },
};
const talk = () => import("./answers.js").then(({ by }) => by(page));
/** Who can't learn what was withdrawn loads the page anew. @type {(more?: boolean) => void} */
const look = (more) => talk().then((site) => site.look(more)).catch(() => page.granted[0] && location.reload());

// Whoever reaches for a button, with a pointer or the keyboard, finds it there.
const reach = (/** @type {any} */ { target }) => target.closest(".pc-row") && talk().catch(() => {});
addEventListener("pointerover", reach);
addEventListener("focusin", reach);

/**
 * Hands a form to `answers.js`; *leave* is the way where that can't send it, or hasn't come after three seconds.
 * @type {(how: string, form: any, leave: () => any, row?: any) => Promise<any>}
 */
const hand = async (how, form, leave, row) => {
  const late = setTimeout(leave, 3e3);
  const site = await talk().catch(() => {});
  clearTimeout(late);
  return (await /** @type {any} */ (site)?.[how](form, row, leave)) || leave();
};

addEventListener("submit", (event) => {
  const { target: form, submitter } = /** @type {any} */ (event);
  const row = form.querySelector(".pc-row");
  const once = submitter?.value === "once";
  if (!row?.closest(once ? ".pc-embed" : ".pc-place, .pc-dialog") || top !== self || native) return;
  event.preventDefault();
  const fields = new URLSearchParams(/** @type {any} */ (new FormData(form, submitter)));
  if (!once) page.waiting = fields;
  row.ariaBusy = "true";
  hand(once ? "once" : "answer", fields, () => {
    if (!once && page.waiting !== fields) return;
    page.waiting = row.ariaBusy = null;
    native = true;
    form.requestSubmit(submitter);
  }, row);
});

addEventListener("click", (event) => {
  const { target, ctrlKey, metaKey, shiftKey } = /** @type {any} */ (event);
  if (target.closest("[href='#pc-hide']")) {
    event.preventDefault();
    // It may be the target, too.
    location.replace("#pc-hide");
    page.rename();
    find("#pc-status").classList.remove("pc-shown");
    before?.focus();
  } else if (target.closest("[command=close]")) find("#pc-dialog")?.close();
  else if (target.closest("[data-pc-open], [command=show-modal]") && !ctrlKey && !metaKey && !shiftKey && open()) event.preventDefault();
});

addEventListener("beforeunload", () => (page.left = true));
addEventListener("input", (/** @type {any} */ { target }) => (page.typed ||= !target.closest(".pc")));

addEventListener("pagehide", () => {
  // An open channel would keep the page from being restored as it was.
  tabs?.close();
  // An answer that still waits leaves with its page.
  if (page.waiting) page.waiting = void navigator.sendBeacon(pcUrl, page.waiting);
});
addEventListener("pageshow", ({ persisted }) => {
  (tabs = new BroadcastChannel("pc")).onmessage = () => look();
  if (told) page.tell();
  if (persisted || (!pcPossible && page.visit?.type === "back_forward")) look(true);
});

/** @type {any} */ (window).consent = {
  allows: (/** @type {string} */ key) => page.here.includes(key) && page.granted.includes(key),
  open: () => open() || location.assign(pcUrl),
  async withdraw() {
    const form = (page.waiting = new URLSearchParams("choice=none&from=mine"));
    const found = await hand("answer", form, () => (page.waiting = show(page.failed)));
    return !!found?.ok;
  },
};

if (told) page.rename();
// After a reload it is not the target yet.
const greet = told ? show : () => {};
// What comes to life by the answer comes after this module.
if (pcPossible) document.addEventListener("DOMContentLoaded", () => talk().then((site) => site.look()).then(greet, () => greet()));
else greet();

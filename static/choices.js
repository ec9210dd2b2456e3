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
 * @type {(form: any, leave: () => any, row?: any, once?: boolean) => Promise<any>}
 */
const hand = async (form, leave, row, once) => {
  if (!once) page.waiting = form;
  page.left = 0;
  const other = () => {
    if (!once) {
      if (page.waiting !== form) return;
      page.waiting = 0;
    }
    leave();
  };
  // What somebody has typed is worth waiting for, and so is the page that they are going to.
  const late = setTimeout(() => page.typed || page.left || other(), 3e3);
  const site = await talk().catch(() => {});
  clearTimeout(late);
  return (await site?.[once ? "once" : "answer"](form, row, other)) || other();
};

addEventListener("submit", (event) => {
  const { target: form, submitter } = /** @type {any} */ (event);
  const row = form.querySelector(".pc-row");
  const once = submitter?.value === "once";
  if (!row?.closest(once ? ".pc-embed" : ".pc-place, .pc-dialog") || top !== self || native) return;
  event.preventDefault();
  const fields = new URLSearchParams(/** @type {any} */ (new FormData(form, submitter)));
  row.ariaBusy = "true";
  const leave = () => {
    row.ariaBusy = null;
    native = true;
    form.requestSubmit(submitter);
  };
  hand(fields, leave, row, once);
});

addEventListener("click", (event) => {
  const { target, ctrlKey, metaKey, shiftKey } = /** @type {any} */ (event);
  if (target.closest("[href='#pc-hide']")) {
    // As the target it is hidden by the link itself.
    find("#pc-status:target") || event.preventDefault();
    find("#pc-status").classList.remove("pc-shown");
    before?.focus();
  } else if (target.closest("[command=close]")) find("#pc-dialog")?.close();
  else if (target.closest("[data-pc-open], [command=show-modal]") && !ctrlKey && !metaKey && !shiftKey && open()) event.preventDefault();
});

addEventListener("beforeunload", () => (page.left = 1));
addEventListener("input", (/** @type {any} */ { target }) => (page.typed ||= !target.closest(".pc")));

addEventListener("pagehide", () => {
  // An open channel would keep the page from being restored as it was.
  tabs?.close();
  // An answer that has not come back leaves with its page, which ends what is still on its way.
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
  withdraw: () => hand(new URLSearchParams("choice=none&from=mine"), () => show(page.failed)).then((found) => !!found?.ok),
};

if (told) page.rename();
// After a reload it is not the target yet.
/** @type {(message?: any) => void} */
const greet = told ? show : () => {};
// What comes to life by the answer comes after this module.
if (pcPossible) document.addEventListener("DOMContentLoaded", () => talk().then((site) => site.look()).catch(() => {}).then(greet));
else greet();

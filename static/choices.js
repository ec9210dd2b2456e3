/** What a page does by itself. `answers.js`, which talks with the site, comes when it is needed. All works without them. */

/** @type {(selector: string) => any} */
const find = (selector) => document.querySelector(selector);
const { dataset } = find("script[data-pc-url]");
const { pcUrl, pcGranted, pcHere, pcPossible, pcOwn } = dataset;
const told = location.hash === "#pc-status";
let [native, tabs, before] = /** @type {any[]} */ ([]);

const open = () => !find(".pc-decided") && (find("#pc-dialog:not(:is([open], :popover-open))")?.showModal(), find("#pc-dialog"));
const show = (message = "") => {
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
// Who can't learn what was withdrawn loads the page anew.
const look = (more = false) => talk().then((site) => site.look(more)).catch(() => page.granted[0] && location.reload());

// Whoever reaches for a button, with a pointer or the keyboard, finds it there.
const reach = (/** @type {any} */ { target }) => target.closest(".pc-row") && talk().catch(() => {});
addEventListener("pointerover", reach);
addEventListener("focusin", reach);

addEventListener("submit", async (event) => {
  const { target: form, submitter } = /** @type {any} */ (event);
  const row = form.querySelector(".pc-row");
  const once = submitter?.value === "once";
  if (!row?.closest(once ? ".pc-embed" : ".pc-place, .pc-dialog") || top !== self || form === native) return;
  event.preventDefault();
  row.ariaBusy = "true";
  const leave = () => {
    row.ariaBusy = null;
    (native = form).requestSubmit(submitter);
  };
  const fields = new FormData(form, submitter);
  // Three seconds an answer waits for `answers.js`, before the browser sends it by itself.
  const done = await Promise.race([talk(), new Promise((_, fail) => setTimeout(fail, 3e3))])
    .then((site) => !native && site[once ? "once" : "answer"](row, fields, leave))
    .catch(() => false);
  if (!done) leave();
});

addEventListener("click", (event) => {
  const { target, ctrlKey, metaKey, shiftKey } = /** @type {any} */ (event);
  if (target.closest("[href='#pc-hide']")) {
    find("#pc-status").classList.remove("pc-shown");
    before?.focus();
  } else if (target.closest("[command=close]")) find("#pc-dialog")?.close();
  else if (target.closest("[data-pc-open]") && !ctrlKey && !metaKey && !shiftKey && open()) event.preventDefault();
});

addEventListener("input", (/** @type {any} */ { target }) => (page.typed ||= !target.closest(".pc")));

// An open channel would keep the page from being restored as it was.
addEventListener("pagehide", () => tabs?.close());
addEventListener("pageshow", ({ persisted }) => {
  (tabs = new BroadcastChannel("pc")).onmessage = () => look();
  if (told) page.tell();
  const [visit] = /** @type {any[]} */ (performance.getEntriesByType("navigation"));
  if (persisted || (!pcPossible && visit?.type === "back_forward")) look(true);
});

/** @type {any} */ (window).consent = {
  allows: (key = "") => page.here.includes(key) && page.granted.includes(key),
  open: () => open() || location.assign(pcUrl),
  withdraw: () => talk().then((site) => site.withdraw()).catch(() => (show(page.failed), false)),
};

if (told) page.rename();
// After a reload it is not the target yet.
const greet = told ? show : () => {};
// What comes to life by the answer comes after this module.
if (pcPossible) document.addEventListener("DOMContentLoaded", () => talk().then((site) => site.look()).then(greet, () => greet()));
else greet();

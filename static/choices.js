/** Smooths answering; all works without it. */

/** @type {(selector: string) => any} */
const find = (selector) => document.querySelector(selector);
// A page from a cache knows only what is possible on it.
const { pcUrl, pcGranted, pcHere, pcPossible, pcOwn } = find("script[data-pc-url]").dataset;
const failed = { message: find("#pc-status")?.dataset.failed };
const problem = Object.assign(document.createElement("p"), { role: "alert" });
/** @type {string[]} */
let granted = pcGranted.split(" ");
const here = (pcPossible ?? pcHere ?? pcGranted).split(" ");
const always = pcPossible ? granted : [];
const told = location.hash === "#pc-status";
let [native, pending, coming, typed, tabs, asked, answered] = /** @type {any[]} */ ([]);
let stop = () => {};
// The page's own policy may keep scripts from asking; then the form goes by itself, as without them.
let barred = false;
addEventListener("securitypolicyviolation", ({ blockedURI }) => (barred ||= blockedURI.endsWith(pcUrl)));

const open = () => !find(".pc-decided") && (find("#pc-dialog:not(:is([open], :popover-open))")?.showModal(), find("#pc-dialog"));
const close = () => document.querySelectorAll(".pc-place > :not(.pc-status), .pc-dialog").forEach((part) => part.remove());
// The receipt is its visitor's own business: the page offers it, its address, which others read, is rid of it.
const rename = (hash = "") => history.replaceState(history.state, "", location.href.split(pcOwn ? /#|.receipt=/ : "#")[0] + hash);
// What was withdrawn must stop, what was granted can wait. An answer given here was told to all that listens here.
const stale = (now = granted, more = true) =>
  granted.some((key) => (pcOwn || answered || here.includes(key)) && !now.includes(key)) ||
  (more && !pcPossible && !typed && now.length > granted.length);
const hold = (/** @type {any} */ answer) => {
  ({ granted } = answer);
  document.dispatchEvent(new CustomEvent("consent:changed", { detail: answer }));
};
const look = async (more = false) => {
  const own = (asked = {});
  await coming;
  const answer = await fetch(`${pcUrl}/state`, { headers: consent.headers })
    .then((response) => response.json())
    .catch(() => ({ granted: always }));
  // What was asked before an answer, or before the last question, is out of date.
  if (!asked) return look(more);
  if (asked !== own) return;
  if (stale(answer.granted, more)) location.reload();
  else {
    if (pcPossible && answer.refused) hold(answer);
    if (answer.decided) close();
  }
  return answer.message;
};

const show = (message = "") => {
  const status = find("#pc-status");
  if (!status) return;
  if (message) status.firstElementChild.textContent = message;
  status.classList.add("pc-shown");
  status.focus();
};

const send = async (/** @type {any} */ form) => {
  // A refusal is the last word.
  if ([form.get("choice"), "none"].includes(pending?.get("choice"))) return coming;
  pending = form;
  asked = 0;
  // With its cookie, a refusal is a withdrawal.
  setTimeout(stop, 2e3);
  const own = new AbortController();
  stop = () => own.abort();
  await coming;
  setTimeout(stop, 2e4);
  const answer = await fetch(pcUrl, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(form),
    keepalive: true,
    signal: own.signal,
  }).then(
    (response) => response.status === 409 || response.json().catch(() => response.status < 500 || failed),
    // What was barred is told after it has failed.
    () => new Promise((over) => setTimeout(() => over(barred || failed))),
  );
  if (pending !== form) return;
  pending = null;
  document.querySelectorAll(".pc-row").forEach((part) => (part.ariaBusy = null));
  if (answer.ok) {
    const reload = stale(answer.granted);
    answered = true;
    tabs?.postMessage(0);
    hold(answer);
    if (reload) {
      // Sends no form again.
      rename("#pc-status");
      location.reload();
    } else {
      close();
      show(answer.message);
    }
  }
  return answer;
};

addEventListener("submit", async (event) => {
  const { target: form, submitter } = /** @type {any} */ (event);
  const row = form.querySelector(".pc-place .pc-row, .pc-dialog .pc-row");
  if (!row || top !== self || form === native) return;
  event.preventDefault();
  row.ariaBusy = "true";
  const answer = await (coming = send(new FormData(form, submitter)));
  if (answer === true) (native = form).requestSubmit(submitter);
  else if (answer && !answer.ok) row.append(Object.assign(problem, { textContent: answer.message }));
});

addEventListener("click", (event) => {
  const { target, ctrlKey, metaKey, shiftKey } = /** @type {any} */ (event);
  if (target.closest("[href='#pc-hide']")) find("#pc-status").classList.remove("pc-shown");
  else if (target.closest("[command=close]")) find("#pc-dialog")?.close();
  else if (target.closest("[data-pc-open]") && !ctrlKey && !metaKey && !shiftKey && open()) event.preventDefault();
});

addEventListener("input", (/** @type {any} */ { target }) => (typed ||= !target.closest(".pc")));

// An open channel would keep the page from being restored as it was.
addEventListener("pagehide", () => tabs?.close());
addEventListener("pageshow", ({ persisted }) => {
  (tabs = new BroadcastChannel("pc")).onmessage = () => look();
  if (told) tabs.postMessage(0);
  const [visit] = /** @type {any[]} */ (performance.getEntriesByType("navigation"));
  if (persisted || (!pcPossible && visit?.type === "back_forward")) look(true);
});

/** @type {any} */
const consent = (/** @type {any} */ (window).consent = {
  allows: (key = "") => here.includes(key) && granted.includes(key),
  open: () => open() || location.assign(pcUrl),
  async withdraw() {
    const answer = await (coming = send(new URLSearchParams("choice=none&from=mine")));
    if (!answer.ok) show(answer.message || failed.message);
    return !!answer.ok;
  },
});

if (told) rename();
// After a reload it is not the target yet.
const greet = told ? show : () => {};
// What comes to life by the answer comes after this module.
if (pcPossible) document.addEventListener("DOMContentLoaded", () => look().then(greet));
else greet();

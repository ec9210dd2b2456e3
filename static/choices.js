/** Smooths answering; all works without it. */

/** @type {(selector: string) => any} */
const find = (selector) => document.querySelector(selector);
const { pcUrl, pcGranted } = find("script[data-pc-url]").dataset;
const failed = { message: find("#pc-status")?.dataset.failed };
const problem = Object.assign(document.createElement("p"), { role: "alert" });
let granted = [...pcGranted.split(" ")];
let [native, pending, coming, typed, tabs, told] = /** @type {any[]} */ ([]);
let stop = () => {};

const open = () => (find("#pc-dialog:not(:is([open], :popover-open))")?.showModal(), find("#pc-dialog"));
const close = () => document.querySelectorAll(".pc-place > :not(.pc-status), .pc-dialog").forEach((part) => part.remove());
const rename = (hash = "") => history.replaceState(history.state, "", location.href.split("#")[0] + hash);
// What was withdrawn must stop, what was granted can wait.
const stale = (now = granted, more = true) =>
  granted.some((key) => !now.includes(key)) || (more && !typed && now.length > granted.length);
const look = async (more = false) => {
  const answer = await fetch(`${pcUrl}/state`)
    .then((response) => response.json())
    .catch(() => ({ granted: [] }));
  if (stale(answer.granted, more)) location.reload();
  else if (answer.decided) close();
};

function show(message = "") {
  const status = find("#pc-status");
  if (!status) return;
  if (message) status.firstElementChild.textContent = message;
  status.classList.add("pc-shown");
  status.focus();
}

/** @param {any} form */
async function send(form) {
  const choice = form.get("choice");
  const before = pending?.get("choice");
  // A refusal is the last word.
  if (before === choice || before === "none") return coming;
  pending = form;
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
    keepalive: choice === "none",
    signal: own.signal,
  }).then(
    (response) => response.status === 409 || response.json().catch(() => response.status < 500 || failed),
    () => failed,
  );
  if (pending !== form) return;
  pending = null;
  document.querySelectorAll(".pc-row").forEach((part) => (part.ariaBusy = null));
  if (answer.ok) {
    const { refused } = answer;
    const reload = stale(answer.granted);
    ({ granted } = answer);
    tabs?.postMessage(0);
    document.dispatchEvent(new CustomEvent("consent:changed", { detail: { granted, refused } }));
    if (reload) {
      rename("#pc-status"); // sends no form again
      location.reload();
    } else {
      close();
      show(answer.message);
    }
  }
  return answer;
}

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
  if (persisted || /** @type {any} */ (performance.getEntriesByType("navigation")[0])?.type === "back_forward") look(true);
  told = false;
});

Object.assign(window, {
  consent: {
    allows: (key = "") => pcGranted.split(" ").includes(key) && granted.includes(key),
    open: () => open() || location.assign(pcUrl),
    async withdraw() {
      const answer = await (coming = send(new URLSearchParams("choice=none&from=mine")));
      if (!answer.ok) show(answer.message || failed.message);
      return !!answer.ok;
    },
  },
});

// After a reload it is not the target yet.
if (location.hash === "#pc-status") {
  rename();
  show();
  told = true;
}

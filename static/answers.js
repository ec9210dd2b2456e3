/** Talks with the site for `choices.js`: sends answers without leaving the page, and asks what holds. */

const problem = Object.assign(document.createElement("p"), { role: "alert" });
/** What the page's own policy keeps out, as its headers say; unknown in browsers that don't tell. @type {any} */
const { serverTiming } = performance.getEntriesByType("navigation")[0] ?? {};
let [page, pending, coming, asked, answered] = /** @type {any[]} */ ([]);
let stop = () => {};
// The page's own policy may keep scripts from asking; then the form goes by itself, as without them.
let barred = false;
addEventListener("securitypolicyviolation", ({ blockedURI }) => (barred ||= blockedURI.endsWith(page.pcUrl)));

/** @type {(selector: string, change: (part: any) => void) => void} */
const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
// A dialog that closes gives the focus back.
const close = () => each(".pc-place > :not(.pc-status), .pc-dialog", (part) => (part.close?.(), part.remove()));
// What was withdrawn must stop, what was granted can wait. An answer given here was told to all that listens here.
const stale = (now = page.granted, more = true) =>
  page.granted.some((/** @type {string} */ key) => (page.pcOwn || answered || page.here.includes(key)) && !now.includes(key)) ||
  (more && !page.pcPossible && !page.typed && now.length > page.granted.length);
const hold = (/** @type {any} */ answer) => {
  page.granted = answer.granted;
  document.dispatchEvent(new CustomEvent("consent:changed", { detail: answer }));
};
/** @type {(form: any, more?: RequestInit) => Promise<any>} */
const post = (form, more) =>
  fetch(page.pcUrl, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(form), ...more });

/** Asks what holds by now, and goes by it; also by *more* than before. @type {(more?: boolean) => Promise<string>} */
const look = async (more = false) => {
  const own = (asked = {});
  await coming;
  const answer = await fetch(`${page.pcUrl}/state`, { headers: /** @type {any} */ (window).consent.headers })
    .then((response) => response.json())
    .catch(() => ({ granted: page.pcPossible ? page.pcGranted.split(" ") : [] }));
  // What was asked before an answer, or before the last question, is out of date.
  if (!asked) return look(more);
  if (asked !== own) return;
  if (stale(answer.granted, more)) location.reload();
  else {
    if (page.pcPossible && answer.refused) hold(answer);
    if (answer.decided) close();
  }
  return answer.message;
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
  const failed = { message: page.failed };
  const answer = await post(form, { keepalive: true, signal: own.signal }).then(
    (response) => response.status === 409 || response.json().catch(() => response.status < 500 || failed),
    // What was barred is told after it has failed.
    () => new Promise((over) => setTimeout(() => over(barred || failed))),
  );
  if (pending !== form) return;
  pending = null;
  each(".pc-row", (part) => (part.ariaBusy = null));
  if (answer.ok) {
    const reload = stale(answer.granted);
    answered = true;
    page.tell();
    hold(answer);
    if (reload) {
      // Sends no form again.
      page.rename("#pc-status");
      location.reload();
    } else {
      close();
      page.show(answer.message);
    }
  }
  return answer;
};

/** Sends a form from the page; false where the browser has to. @type {(row: any, form: any) => Promise<boolean>} */
const answer = async (row, form) => {
  const found = await (coming = send(form));
  if (found && !found.ok) row.append(Object.assign(problem, { textContent: found.message }));
  return found !== true;
};

const withdraw = async () => {
  const { ok, message } = await (coming = send(new URLSearchParams("choice=none&from=mine")));
  if (!ok) page.show(message || page.failed);
  return !!ok;
};

/**
 * Loads an embed once without leaving the page; false where its policy keeps the frame out, *leave* when that shows later.
 * @type {(row: any, form: any, leave: () => void) => Promise<boolean>}
 */
const once = async (row, form, leave) => {
  const box = row.closest(".pc-embed");
  const [[key]] = [...form].filter(([name]) => name.startsWith("service."));
  const told = serverTiming?.find((/** @type {any} */ { name }) => name === "pc-frames");
  if (!serverTiming || told?.description.split(" ").includes(key.slice(8))) return false;
  if (box.ariaBusy) return true;
  box.ariaBusy = "true";
  const answer = await post(form)
    .then((response) => response.json())
    .catch(() => {});
  box.ariaBusy = null;
  if (!answer?.ok) return false;
  const frame = document.createElement("iframe");
  for (const [name, value] of Object.entries(answer.frame)) frame.setAttribute(name, value === true ? "" : value);
  // Nothing moves.
  box.style.blockSize = `${box.offsetHeight}px`;
  box.classList.add("pc-loaded");
  const before = [...box.childNodes];
  document.addEventListener("securitypolicyviolation", ({ blockedURI, disposition }) => {
    if (disposition !== "enforce" || !frame.src.startsWith(blockedURI)) return;
    box.replaceChildren(...before);
    leave();
  });
  box.replaceChildren(frame);
  frame.focus();
  return true;
};

/** What is asked and told for a page. */
export const by = (/** @type {any} */ given) => {
  page = given;
  return { look, answer, withdraw, once };
};

/** Talks with the site for `choices.js`: sends answers without leaving the page, and asks what holds. */

const problem = document.createElement("p");
problem.role = "alert";
let [page, latest, last, asked, answered] = /** @type {any[]} */ ([]);
let stop = () => {};
// The page's own policy may keep scripts from asking; then the form goes by itself, as without them.
let barred = false;
addEventListener("securitypolicyviolation", ({ blockedURI, disposition, effectiveDirective }) => {
  barred ||= blockedURI.endsWith(page.pcUrl);
  if (disposition === "enforce" && effectiveDirective === "frame-src") page.blocked?.(blockedURI);
});

/** @type {(selector: string, change: (part: any) => void) => void} */
const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
// A dialog that closes gives the focus back.
const close = () => each(".pc-place > :not(.pc-status), .pc-dialog", (part) => (part.close?.(), part.remove()));
// What was withdrawn must stop, what was granted can wait. An answer given here was told to all that listens here.
const stale = (/** @type {string[]} */ now, /** @type {boolean=} */ more) =>
  page.granted.some((/** @type {string} */ key) => (page.pcOwn || answered || page.here.includes(key)) && !now.includes(key)) ||
  (more && !page.pcPossible && !page.typed && now.length > page.granted.length);
const hold = (/** @type {any} */ answer) => {
  page.granted = answer.granted;
  document.dispatchEvent(new CustomEvent("consent:changed", { detail: answer }));
};
/** @type {(form: any, more?: RequestInit) => Promise<any>} */
const post = (form, more) =>
  fetch(page.pcUrl, { method: "POST", headers: { Accept: "application/json" }, body: form, ...more });

/** Asks what holds by now, and goes by it; also by *more* than before. @type {(more?: boolean) => Promise<string>} */
const look = async (more) => {
  const own = (asked = {});
  await last;
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

/** @type {(form: any, row: any) => Promise<any>} */
const send = async (form, row) => {
  asked = 0;
  // With its cookie, a refusal is a withdrawal.
  setTimeout(stop, 2e3);
  const own = new AbortController();
  stop = () => own.abort();
  await last;
  // Another came after it, or it has left with its page.
  if (page.waiting !== form) {
    if (latest === form) latest = null;
    return {};
  }
  setTimeout(stop, 2e4);
  // Kept alive, the answer of one that is given up would still set its cookie.
  const found = await post(form, { signal: own.signal }).then(
    (response) => response.status !== 409 && response.json().catch(() => response.status >= 500 && {}),
    // What was barred is told after it has failed.
    () => new Promise((over) => setTimeout(() => over(!barred && {}))),
  );
  if (page.waiting !== form) return {};
  latest = null;
  each(".pc-row", (part) => (part.ariaBusy = null));
  if (!found) return;
  page.waiting = 0;
  const { message = page.failed } = found;
  if (found.ok) {
    const reload = stale(found.granted, true);
    answered = true;
    page.tell();
    hold(found);
    if (reload) {
      // Sends no form again, and lets whoever is leaving go.
      setTimeout(() => {
        page.rename("#pc-status");
        location.reload();
      }, page.left * 5e3);
    } else {
      close();
      page.show(message);
    }
  } else if (row) {
    problem.textContent = message;
    row.append(problem);
  } else page.show(message);
  return found;
};

/** Sends an answer from the page, and says what came of it; nothing where the browser has to. @type {(form: any, row: any) => Promise<any>} */
const answer = (form, row) => {
  // A refusal is the last word, and a second click the first.
  if (latest && (latest.get("choice") === "none" || `${latest}` === `${form}`)) page.waiting = latest;
  else last = send((latest = form), row).catch(() => {});
  return last;
};

/**
 * Loads an embed once without leaving the page, true when done. Where its policy keeps the frame out, which may show later, *leave* does.
 * @type {(form: any, row: any, leave: () => void) => Promise<any>}
 */
const once = async (form, row, leave) => {
  const box = row.closest(".pc-embed");
  // What the page's own policy keeps out, as its headers say (`pc-service.KEY`); unknown in browsers that don't tell.
  const timing = page.visit?.serverTiming;
  if (!timing || timing.some((/** @type {any} */ { name }) => form.has(name.slice(3)))) return;
  if (box.ariaBusy) return true;
  box.ariaBusy = "true";
  const answer = await post(form)
    .then((response) => response.json())
    .catch(() => {});
  box.ariaBusy = null;
  if (!answer?.ok) return;
  const frame = document.createElement("iframe");
  for (const [name, value] of Object.entries(answer.frame)) frame.setAttribute(name, value);
  // Nothing moves.
  box.style.blockSize = `${box.offsetHeight}px`;
  box.classList.add("pc-loaded");
  // For the frame that was loaded last.
  page.blocked = (/** @type {string} */ uri) => {
    if (!frame.src.startsWith(uri)) return;
    frame.replaceWith(row.closest("form"));
    leave();
  };
  box.replaceChildren(frame);
  frame.focus();
  return true;
};

/** What is asked and told for a page. */
export const by = (/** @type {any} */ given) => {
  page = given;
  return { look, answer, once };
};

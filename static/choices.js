/** Makes answering smoother; all forms, links and dialogs work without it. */

/** @type {(selector: string) => any} */
const find = (selector) => document.querySelector(selector);
const { pcUrl, pcGranted } = find("script[data-pc-url]").dataset;
let granted = pcGranted.split(" ");
/** The form sent without us. @type {any} */
let plain;
/** The choice on its way. @type {any} */
let pending;
let sending = new AbortController();

/** The answer; true if it is a page. @param {any} fields */
const send = (fields) => {
  sending.abort();
  const { signal } = (sending = new AbortController());
  const headers = { Accept: "application/json" };
  return fetch(pcUrl, { method: "POST", headers, body: new URLSearchParams(fields), signal }).then(
    (response) => response.status === 409 || response.json().catch(() => true),
    () => ({ message: find("#pc-status")?.dataset.failed }),
  );
};

/** @param {any} [message] */
function show(message) {
  const status = find("#pc-status");
  if (!status) return;
  if (message) status.firstElementChild.textContent = message;
  status.classList.add("pc-shown");
  status.focus();
}

/** @param {any} answer */
function follow(answer) {
  ({ granted } = answer);
  document.dispatchEvent(new CustomEvent("consent:changed", { detail: { granted, refused: answer.refused } }));
  if (answer.reload) {
    history.replaceState(null, "", answer.location); // sends no form again
    location.reload();
  } else {
    document.querySelectorAll(".pc-banner, .pc-again, .pc-dialog").forEach((part) => part.remove());
    show(answer.message);
  }
}

addEventListener("submit", async (event) => {
  const { target: form, submitter } = /** @type {any} */ (event);
  const row = form.querySelector(".pc-place .pc-row, .pc-dialog .pc-row");
  // The server judges frames.
  if (!row || top !== self || form === plain) return;
  event.preventDefault();
  const fields = new FormData(form, submitter);
  const choice = fields.get("choice");
  // A refusal is the last word.
  if (pending === choice || pending === "none") return;
  pending = choice;
  row.ariaBusy = "true";
  const answer = await send(fields);
  if (pending !== choice) return;
  pending = row.ariaBusy = null;
  if (answer.ok) follow(answer);
  else if (answer.message) {
    row.querySelector("p")?.remove();
    row.append(Object.assign(document.createElement("p"), { role: "alert", textContent: answer.message }));
  } else (plain = form).requestSubmit(submitter);
});

addEventListener("click", (event) => {
  const { target, ctrlKey, metaKey, shiftKey } = /** @type {any} */ (event);
  const dialog = find("#pc-dialog");
  if (target.closest("[href='#pc-hide']")) find("#pc-status").classList.remove("pc-shown");
  else if (target.closest("[command=close]")) dialog?.close();
  else if (dialog && target.closest("[data-pc-open]") && !ctrlKey && !metaKey && !shiftKey) {
    event.preventDefault();
    dialog.showModal();
  }
});

// After a reload it is not the target yet.
if (location.hash === "#pc-status") show();

Object.assign(window, {
  consent: {
    /** Whether a service or category may run here. @param {string} key */
    allows: (key) => granted.includes(key),
    /** Opens the dialog, or the page. */
    open: () => (find("#pc-dialog") ? find("#pc-dialog").showModal() : location.assign(pcUrl)),
    /** Withdraws everything; whether that worked. */
    async withdraw() {
      pending = "none";
      const answer = await send({ choice: "none", from: "mine" });
      pending = null;
      if (answer.ok) follow(answer);
      else show(answer.message);
      return !!answer.ok;
    },
  },
});

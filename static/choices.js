/** Makes answering smoother; all forms, links and dialogs work without it. */

/** @type {(selector: string) => any} */
const find = (selector) => document.querySelector(selector);
const { pcUrl, pcGranted } = find("script[data-pc-url]").dataset;
let granted = pcGranted.split(" ");
/** Sent without us. @type {HTMLFormElement | undefined} */
let plain;

/** The server's answer; {} when something else came. @param {any} fields */
const send = (fields) =>
  fetch(pcUrl, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(fields) }).then(
    (response) => response.json().catch(() => ({})),
    () => ({ message: find("#pc-status")?.dataset.failed }),
  );

/** Shows the status, if the page has one. @param {string} [message] */
function show(message) {
  const status = find("#pc-status");
  if (!status) return;
  if (message) status.firstElementChild.textContent = message;
  status.classList.add("pc-shown");
  status.focus();
}

/** @param {{granted: string[], refused: string[], message: string, reload: boolean, location: string}} answer */
function follow(answer) {
  granted = answer.granted;
  document.dispatchEvent(new CustomEvent("consent:changed", { detail: { granted, refused: answer.refused } }));
  if (answer.reload) {
    history.replaceState(null, "", answer.location); // so that no form is sent again
    location.reload();
  } else {
    document.querySelectorAll(".pc-banner, .pc-again, .pc-dialog").forEach((part) => part.remove());
    show(answer.message);
  }
}

addEventListener("submit", async (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const row = form.querySelector(".pc-place .pc-row, .pc-dialog .pc-row");
  // In a frame, the server has to see so.
  if (!row || top !== self || form === plain) return;
  event.preventDefault();
  if (form.ariaBusy) return;
  form.ariaBusy = "true";
  const answer = await send(new FormData(form, event.submitter));
  form.ariaBusy = null;
  if (answer.ok) follow(answer);
  else if (answer.message) {
    const text = row.querySelector("p") ?? row.appendChild(document.createElement("p"));
    text.role = "alert";
    text.textContent = answer.message;
  } else (plain = form).requestSubmit(event.submitter);
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
    /** Whether a service or category may run on this page. @param {string} key */
    allows: (key) => granted.includes(key),
    /** Opens the choices: the dialog if the page has it, else their page. */
    open: () => (find("#pc-dialog") ? find("#pc-dialog").showModal() : location.assign(pcUrl)),
    /** Withdraws everything; resolves to whether that worked. */
    async withdraw() {
      const answer = await send({ choice: "none", from: "mine" });
      if (answer.ok) follow(answer);
      else show(answer.message);
      return !!answer.ok;
    },
  },
});

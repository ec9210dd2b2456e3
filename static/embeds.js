/** Loads an embed once without leaving the page, where its policy lets the frame in. Else the form does by itself. */

/** What the page's own policy keeps out, as its headers say; unknown in browsers that don't tell. @type {any} */
const { serverTiming } = performance.getEntriesByType("navigation")[0] ?? {};
/** @type {any} */
let native;

addEventListener("submit", async (event) => {
  const { target: form, submitter } = /** @type {any} */ (event);
  const box = form.closest(".pc-embed");
  if (!box || submitter?.value !== "once" || form === native || top !== self) return;
  const [[key]] = [...new FormData(form)].filter(([name]) => name.startsWith("service."));
  const told = serverTiming?.find((/** @type {any} */ { name }) => name === "pc-frames");
  if (!serverTiming || told?.description.split(" ").includes(key.slice(8))) return;
  event.preventDefault();
  const leave = () => (native = form).requestSubmit(submitter);
  if (box.ariaBusy) return;
  box.ariaBusy = "true";
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(/** @type {any} */ (new FormData(form, submitter))),
  })
    .then((response) => response.json())
    .catch(() => null);
  box.ariaBusy = null;
  if (!answer?.ok) return leave();
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
});

// Counts the links marked with data-link, for visitors who allow it: the server leaves this file out for all others,
// and judges each count again.
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a[data-link]') : null;
  if (!(link instanceof HTMLElement) || !window.consent?.allows('statistics')) return;
  navigator.sendBeacon('/what-we-count/links', new URLSearchParams({ link: link.dataset.link ?? '' }));
});

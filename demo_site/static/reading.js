// Lets readers choose a text size. Without permission it holds for this page; with it, this browser keeps it.
const KEY = 'reading.size';
const SIZES = { normal: 'Normal', large: 'Large', larger: 'Larger' };

const allowed = () => Boolean(window.consent?.allows('reading'));

/** @param {string | undefined | null} size */
function show(size) {
  const known = size && Object.hasOwn(SIZES, size) ? size : 'normal';
  document.documentElement.dataset.textSize = known;
  for (const input of document.querySelectorAll('[data-text-size] input')) {
    input.checked = input.value === known;
  }
}

/** Keeps the size that is shown, if that is allowed. */
function keep() {
  if (allowed()) localStorage.setItem(KEY, document.documentElement.dataset.textSize);
}

/** @param {HTMLElement} place */
function build(place) {
  const group = document.createElement('fieldset');
  const legend = document.createElement('legend');
  legend.textContent = 'Text size';
  group.append(legend);
  for (const [size, name] of Object.entries(SIZES)) {
    const label = document.createElement('label');
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = 'text-size';
    input.value = size;
    label.append(input, name);
    group.append(label);
  }
  group.addEventListener('change', (event) => {
    show(event.target.value);
    keep();
  });
  place.replaceChildren(group);
}

document.querySelectorAll('[data-text-size]').forEach(build);
show(allowed() ? localStorage.getItem(KEY) : null);
document.addEventListener('consent:changed', () => {
  if (document.documentElement.dataset.textSize !== 'normal') keep();
});

// Lets readers choose a text size. Without permission it holds for this page; with it, this browser keeps it.
const KEY = 'reading.size';
const NORMAL = 'normal';
const SIZES = new Map([[NORMAL, 'Normal'], ['large', 'Large'], ['larger', 'Larger']]);

const root = document.documentElement;

/** Whether the visitor lets us keep the size. Unknown means no. */
const allowed = () => window.consent?.allows('reading') ?? false;

/** @param {string | null} size */
function show(size) {
  const known = size && SIZES.has(size) ? size : NORMAL;
  root.dataset.textSize = known;
  for (const input of document.querySelectorAll('input')) {
    if (input.name === 'text-size') input.checked = input.value === known;
  }
}

/** Keeps the size that is shown, if that is allowed. What was kept before a refusal, the component clears. */
function keep() {
  const size = root.dataset.textSize ?? NORMAL;
  if (!allowed()) return;
  if (size === NORMAL) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, size);
}

/**
 * Puts the choice into its place. It needs this script, so it is not in the page without.
 * @param {Element} place
 */
function build(place) {
  const group = document.createElement('fieldset');
  const legend = document.createElement('legend');
  legend.textContent = 'Text size';
  group.append(legend);
  for (const [size, name] of SIZES) {
    const label = document.createElement('label');
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = 'text-size';
    input.value = size;
    input.addEventListener('change', () => {
      show(size);
      keep();
    });
    label.append(input, name);
    group.append(label);
  }
  place.replaceChildren(group);
}

document.querySelectorAll('div[data-text-size]').forEach(build);
show(allowed() ? localStorage.getItem(KEY) : null);
keep();
document.addEventListener('consent:changed', keep);

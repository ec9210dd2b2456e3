/**
 * What a visitor's browser makes of banner, dialog and centre: numbers and colours, no verdict on them.
 * Called with the name of a measure and what it takes.
 *
 * @param {[string, any]} call
 */
([called, given]) => {
  /** @type {(selector: string) => any[]} */
  const all = (selector) => [...document.querySelectorAll(selector)];
  /** @type {(element: any) => boolean} */
  const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  /** As a style sheet would name it. @type {(element: any) => string} */
  const named = (element) =>
    element.localName + (element.id && `#${element.id}`) + [...element.classList].map((each) => `.${each}`).join("");

  // What follows from the length of the words alone.
  const words = /^(width|inline-size|perspective-origin|transform-origin)$/;
  /** Every property that the browser knows, of the element and of what is made before and after it.
   * @type {(element: any) => any} */
  const style = (element) => {
    const { width, height } = element.getBoundingClientRect();
    const found = Object.entries({ width, height });
    for (const part of ["", "::before", "::after"]) {
      const values = getComputedStyle(element, part);
      if (part && ["none", "normal"].includes(values.content)) continue;
      for (const name of values) {
        if (part || !words.test(name)) found.push([`${part && `${part} `}${name}`, /** @type {any} */ (values.getPropertyValue(name))]);
      }
    }
    return Object.fromEntries(found);
  };
  // Browsers lay out in 64ths of a pixel, and so thirds of a row may be one of these apart.
  /** @type {(one: any, other: any) => boolean} */
  const same = (one, other) => one === other || Math.abs(one - other) < 1 / 60;
  /** In what they differ: name and both values. @type {(one: any, other: any) => any[]} */
  const unlike = (one, other) =>
    Object.keys({ ...one, ...other })
      .filter((name) => !same(one[name], other[name]))
      .map((name) => [name, `${one[name]}`, `${other[name]}`]);

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  /** @type {Record<string, number[]>} */
  const known = {};
  /** Red, green, blue and alpha of whatever a style sheet calls a colour. @type {(colour: string) => number[]} */
  const mixed = (colour) => (known[colour] ??= painted(colour));
  /** @type {(colour: string) => number[]} */
  const painted = (colour) => {
    if (!canvas) throw new Error("no canvas");
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  /** @type {(top: number[], under: number[]) => number[]} */
  const over = (top, under) => {
    const alpha = top[3] + under[3] * (1 - top[3]);
    const parts = [0, 1, 2].map((each) => (top[each] * top[3] + under[each] * under[3] * (1 - top[3])) / (alpha || 1));
    return [...parts, alpha];
  };
  /** The colour of the empty page, by its colour scheme. */
  const paper = () => {
    const probe = document.createElement("i");
    probe.style.color = "Canvas";
    document.documentElement.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return mixed(color);
  };
  /** @type {number[] | undefined} */
  let sheet;
  /** What is seen where the colour *ink* lies on the element. @type {(element: any, ink?: string) => number[]} */
  const seen = (element, ink = "transparent") => {
    let colour = mixed(ink);
    for (let part = element; part; part = part.parentElement) {
      const { backgroundColor, opacity } = getComputedStyle(part);
      colour = over(colour, mixed(backgroundColor));
      colour[3] *= Number(opacity);
    }
    return over(colour, (sheet ??= paper()));
  };
  /** WCAG 2.2's relative luminance. @type {(colour: number[]) => number} */
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  /** WCAG 2.2's contrast ratio, 1 to 21. @type {(one: number[], other: number[]) => number} */
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  /** Whether it stands on a picture or a gradient, of which no colour is known. @type {(element: any) => boolean} */
  const pictured = (element) => {
    const { backgroundImage, backgroundColor } = getComputedStyle(element);
    if (backgroundImage !== "none") return true;
    return mixed(backgroundColor)[3] < 1 && !!element.parentElement && pictured(element.parentElement);
  };
  /** That of its text; the highest there is where that isn't known. @type {(element: any) => number} */
  const contrast = (element) =>
    pictured(element) ? 21 : ratio(seen(element, getComputedStyle(element).color), seen(element));

  /** What lies over one of the element's four sides; "" when nothing does. @type {(element: any) => string} */
  const covered = (element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    for (const [across, down] of [[2, height / 2], [width - 2, height / 2], [width / 2, 2], [width / 2, height - 2]]) {
      const there = document.elementFromPoint(x + across, y + down);
      if (!element.contains(there)) return there ? named(there) : "the edge of the window";
    }
    return "";
  };
  /** @type {(layer: string) => any[]} */
  const buttons = (layer) => all(`${layer} .pc-row > :is(button, a)`).filter(visible);

  /** @type {Record<string, (given: any) => any>} */
  const measures = {
    /** As a site with that placement shows it, to a visitor with text of that size. */
    dress: ([placement, text]) => {
      document.documentElement.style.fontSize = text;
      for (const place of all(".pc-place")) place.className = `pc pc-place pc-${placement}`;
    },

    /** The buttons of a layer, as they stand there, and how far the others differ from the first. */
    row: (layer) => {
      const row = buttons(layer);
      const styles = row.map(style);
      return {
        values: row.map((each) => each.value || "some"),
        words: row.map((each) => each.textContent.trim()),
        kinds: row.map((each) => `${each.localName}.${each.className}`),
        unlike: styles.map((each) => unlike(styles[0], each)),
        boxes: row.map((each) => each.getBoundingClientRect().toJSON()),
        contrasts: row.map(contrast),
        cut: row.map((each) => each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight + 1),
        covered: row.map(covered),
        rtl: row.length > 0 && getComputedStyle(row[0]).direction === "rtl",
        ground: row[0] && getComputedStyle(row[0]).backgroundColor,
        sideways: document.documentElement.scrollWidth - innerWidth,
      };
    },

    /** What is asked of a layer as it stands there, all at once. */
    layer: (layer) =>
      Object.fromEntries(["row", "texts", "targets", "card", "answers"].map((each) => [each, measures[each](layer)])),

    /** Moves the buttons of a layer to where they can be seen. */
    reach: (layer) => buttons(layer)[0]?.scrollIntoView({ block: "center" }),

    /** How far No and Yes of each category differ: as they are at first, and each of them chosen. */
    answers: (layer) =>
      all(`${layer} .pc-answer`).flatMap((answer) => {
        const [no, yes] = answer.querySelectorAll("label");
        const before = unlike(style(no), style(yes));
        const was = [...answer.querySelectorAll("input")].find((input) => input.checked);
        const chosen = [no, yes].map((label) => {
          label.control.checked = true;
          return [style(label), style(label.control)];
        });
        yes.control.checked = false;
        if (was) was.checked = true;
        return [...before, ...chosen[0].flatMap((part, number) => unlike(part, chosen[1][number]))];
      }),

    /** All properties of an element. */
    look: (selector) => style(all(selector).find(visible)),

    /** The ring around what has the focus: its style, its width in pixels, its contrast with what it lies on. */
    ring: () => {
      const focused = /** @type {any} */ (document.activeElement);
      const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(focused);
      const around = focused.parentElement ?? focused;
      return { style: outlineStyle, width: parseFloat(outlineWidth), contrast: ratio(seen(around, outlineColor), seen(around)) };
    },

    /** Every text of a layer but that of its buttons: where it stands, its size in pixels, whether it is bold, its contrast. */
    texts: (layer) =>
      all(`${layer}, ${layer} :not(.pc-row > *)`)
        .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && visible(each))
        .map((each) => {
          const { fontSize, fontWeight } = getComputedStyle(each);
          return { selector: named(each), size: parseFloat(fontSize), bold: Number(fontWeight) >= 700, contrast: contrast(each) };
        }),

    /** What can be pressed in a layer but for links within sentences: where it stands, and its size. */
    targets: (layer) =>
      all(layer)
        .flatMap((part) => [...part.querySelectorAll("button, summary, label, .pc-links a, .pc-row a")])
        .filter(visible)
        .map((each) => {
          const { width, height } = each.getBoundingClientRect();
          return { selector: named(each), width, height };
        }),

    /** The part of the window that the card lies over; 0 in the page's flow. */
    card: () => {
      const [card] = all(".pc-place").filter(visible);
      if (!card || getComputedStyle(card).position !== "fixed") return 0;
      const { left, right, top, bottom } = card.getBoundingClientRect();
      const across = Math.min(right, innerWidth) - Math.max(left, 0);
      return (across * (Math.min(bottom, innerHeight) - Math.max(top, 0))) / (innerWidth * innerHeight);
    },

    /** What has the focus, and whether the card hides where that begins (WCAG 2.2, 2.4.11). Null: nothing has it. */
    focused: () => {
      const focused = /** @type {any} */ (document.activeElement ?? document.body);
      if (focused === document.body) return null;
      const { x, y, width, height } = focused.getBoundingClientRect();
      const there = document.elementFromPoint(x + width / 2, y + Math.min(height / 2, 12));
      const own = !focused.closest(".pc");
      return { selector: named(focused), value: focused.value, own, hidden: own && !!there?.closest(".pc-place") };
    },

    /** What is answered or about to be, and how many ways there are to accept and to refuse. */
    unanswered: (layer) => ({
      ticked: all(`${layer} input:checked`).map((each) => each.name),
      focused: document.activeElement?.closest(layer) ? named(document.activeElement) : "",
      accepting: all(`${layer} [name=choice][value=all]`).filter(visible).length,
      refusing: all(`${layer} [name=choice][value=none]`).filter(visible).length,
    }),

    /** The names that the page has put into the browser's storage. */
    kept: () => ({ local: Object.keys(localStorage), session: Object.keys(sessionStorage) }),
  };
  return measures[called](given);
}

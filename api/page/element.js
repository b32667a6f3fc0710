// Elements, made without markup: what people named is text and can be nothing else.

/**
 * Make an element. Strings become text nodes; `on...` properties listeners; null and false are left out.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...any} children nodes, strings, or lists of them
 * @returns {any} the element
 */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(made, name, value);
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

function set(element, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "indeterminate") element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** "1 picture", "2 pictures". */
export function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

/** 0.943 -> "94 %". */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** A button, of a text or an element; a link is for going somewhere, this is for doing something. */
export function button(text, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, text);
}

/** Keep the height of an element in a variable of the style sheet, for what stands next to it. */
export function keepHeight(element, name, signal) {
  const watch = new ResizeObserver(() => document.documentElement.style.setProperty(name, `${element.offsetHeight}px`));
  watch.observe(element);
  signal?.addEventListener("abort", () => watch.disconnect());
}

/** A title that folds its panel's body away, and shows it again. */
export function foldingTitle(id, text, body) {
  const toggle = button("Hide", () => title.fold(!body.hidden), { class: "small", "aria-expanded": "true", "aria-label": `Hide ${text}` });
  const title = h("div", { class: "row spread" }, h("h2", { id }, text), toggle);
  title.fold = (folded) => {
    body.hidden = folded;
    toggle.textContent = folded ? "Show" : "Hide";
    toggle.setAttribute("aria-label", `${toggle.textContent} ${text}`);
    toggle.setAttribute("aria-expanded", String(!folded));
  };
  return title;
}

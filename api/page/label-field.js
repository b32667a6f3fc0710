// A field for a label, which offers those there are, and makes a new class only on purpose.

import { everything, pathOf } from "./api.js";
import { button, h } from "./element.js";

let lists = 0;

/** Fill a list of suggestions with the labels of a collection. */
export function labelList(collection, signal) {
  const list = h("datalist", { id: `labels-${(lists += 1)}` });
  const fill = async () => {
    try {
      const labels = [];
      for await (const { label } of everything(pathOf(collection, "classes"), {}, signal)) labels.push(h("option", { value: label }));
      list.replaceChildren(...labels);
      list.complete = true;
    } catch { /* suggestions are optional; the view reports the problem */ }
  };
  document.addEventListener("changed", fill, { signal });
  fill();
  return list;
}

/**
 * A form of one label: a field and what is done with it.
 * @param {{name: string, action: string, list?: any, onlabel: (label: string) => void, value?: string, placeholder?: string, any?: boolean}} what
 *   `any`: a label that no class has is taken as it is, since new classes are what the field is for
 */
export function labelForm({ name, action, list, onlabel, value = "", placeholder = "", any = false }) {
  const input = h("input", { required: true, maxlength: 128, "aria-label": name, list: list?.id, value, placeholder, autocomplete: "off" });
  const asked = h("div", { class: "row", role: "status" });
  const form = h("form", { class: "label-form" }, h("div", { class: "row" }, input, h("button", { class: "primary" }, action)), asked);
  const take = (label) => { asked.replaceChildren(); onlabel(label); };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const label = input.value.trim();
    if (!label) return;
    const known = [...list?.options ?? []].map((one) => one.value);
    if (any || !list?.complete || known.includes(label)) take(label);
    else asked.replaceChildren(h("span", {}, `There is no class ${label}.`), ...near(known, label).map((one) => button(`Use ${one}`, () => take(one), { class: "small" })),
      button(`Create class ${label}`, () => take(label), { class: "small" }));
  });
  input.addEventListener("input", () => asked.replaceChildren());
  form.field = input;
  return form;
}

/** The classes that somebody may have meant: those that differ by little. */
function near(known, label) {
  const low = label.toLowerCase();
  return known.map((one) => [distance(one.toLowerCase(), low), one]).filter(([far, one]) => far <= Math.max(1, one.length / 4))
    .sort(([one], [other]) => one - other).slice(0, 2).map(([, one]) => one);
}

/** The edit distance of two texts (Levenshtein). */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, n) => n);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(one[i - 1] !== other[j - 1]));
    row = next;
  }
  return row.at(-1);
}

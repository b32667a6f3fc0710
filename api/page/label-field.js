// A field for a label, which offers those there are.

import { everything, pathOf } from "./api.js";
import { h } from "./element.js";

let lists = 0;

/** Fill a list of suggestions with the labels of a collection. */
export function labelList(collection, signal) {
  const list = h("datalist", { id: `labels-${(lists += 1)}` });
  const fill = async () => {
    try {
      const labels = [];
      for await (const { label } of everything(pathOf(collection, "classes"), {}, signal)) labels.push(h("option", { value: label }));
      list.replaceChildren(...labels);
    } catch { /* suggestions are optional; the view reports the problem */ }
  };
  document.addEventListener("changed", fill, { signal });
  fill();
  return list;
}

/** A form of one label: a field and what is done with it. */
export function labelForm({ name, action, list, onlabel, value = "", placeholder = "" }) {
  const input = h("input", { required: true, maxlength: 128, "aria-label": name, list: list?.id, value, placeholder, autocomplete: "off" });
  const form = h("form", { class: "row label-form" }, input, h("button", { class: "primary" }, action));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const label = input.value.trim();
    if (label) onlabel(label);
  });
  form.field = input;
  return form;
}

// A field for several labels: each becomes a chip; the classes there are complete what is typed.

import { h, button } from "./element.js";
import { say } from "./messages.js";
import "./chips.js";

/**
 * @param {{id: string, name: string, list: any, onchange?: () => void}} what `list` of suggestions
 * @returns {any} an element with `values()`, `clear()` and its `field`
 */
export function labelsField({ id, name, list, onchange = () => {} }) {
  const field = h("input", { id, maxlength: 128, list: list.id, autocomplete: "off", "aria-describedby": `${id}-keys`, placeholder: "e.g. beach" });
  const chips = h("ul", { class: "chips", "aria-label": `${name} so far` });
  let labels = [];
  const show = () => {
    chips.replaceChildren(...labels.map((label) => h("li", { class: "tag" }, label,
      button("×", () => { drop(label); field.focus(); }, { "aria-label": `Remove ${label}` }))));
    chips.hidden = !labels.length;
    onchange();
  };
  const isKnown = (text) => [...list.options].some((one) => one.value === text);
  const drop = (label) => {
    labels = labels.filter((one) => one !== label);
    say(`${label} removed`);
    show();
  };
  const take = () => { // what is typed, which may be several after pasting
    const text = field.value.trim();
    const typed = isKnown(text) ? [text] : text.split(",").map((one) => one.trim()).filter(Boolean);
    field.value = "";
    if (!typed.length) return;
    labels = [...new Set([...labels, ...typed])];
    say(`${typed.join(", ")} added`);
    show();
  };
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Backspace" && !field.value && labels.length) drop(labels.at(-1));
    else if ((event.key === "Enter" || event.key === ",") && field.value.trim()) take();
    else if (event.key !== "Enter" && event.key !== ",") return;
    event.preventDefault();
  });
  field.addEventListener("input", (event) => {
    const chosen = event.inputType === "insertReplacementText" || event.inputType === undefined; // a suggestion, pressed
    if (field.value.includes(",") || (chosen && isKnown(field.value))) take();
    else onchange();
  });
  const made = h("div", { class: "several" }, h("div", { class: "field" }, h("label", { for: id }, name), field), chips,
    h("p", { class: "unseen", id: `${id}-keys` }, "Enter or a comma adds a label, Backspace removes the last one."));
  chips.hidden = true;
  made.field = field;
  made.values = () => { take(); return labels; };
  made.clear = () => { labels = []; field.value = ""; show(); };
  made.isEmpty = () => !labels.length && !field.value.trim();
  return made;
}

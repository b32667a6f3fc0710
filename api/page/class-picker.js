// A field that completes the name of a class, over a list of classes to press or to drop answers on.

import { everything, pathOf } from "./api.js";
import { button, h } from "./element.js";

const MOST = 200; // classes shown at once; typing narrows them

/**
 * @param {string} collection
 * @param {{signal: AbortSignal, onlabel: (label: string) => void, ondone: () => void, noun?: string}} options
 */
export function classPicker(collection, { signal, onlabel, ondone, noun = "class" }) {
  const field = h("input", {
    role: "combobox", "aria-label": "Class", "aria-controls": "class-options", "aria-expanded": "true", "aria-autocomplete": "list",
    autocomplete: "off", maxlength: 128, placeholder: `Type a ${noun}  ( / )`,
  });
  const list = h("ul", { id: "class-options", role: "listbox", "aria-label": "Classes", class: "options" });
  const make = button("", () => take(field.value.trim()), { class: "small", hidden: true });
  let labels = [];
  let others = []; // that are no class yet
  let at = 0;
  const take = (label) => {
    field.value = "";
    show();
    if (!label) return;
    if (!labels.includes(label)) labels = [...labels, label].sort(compare);
    onlabel(label);
  };
  const show = () => {
    const typed = field.value.trim();
    const found = matches(labels, typed);
    at = Math.max(0, Math.min(at, found.length - 1));
    list.replaceChildren(...found.map((label, n) => option(label, n, typed && n === at)));
    make.hidden = !typed || labels.includes(typed);
    make.textContent = `Create ${noun} ${typed}`;
    if (typed && found.length) field.setAttribute("aria-activedescendant", `class-${at}`);
    else field.removeAttribute("aria-activedescendant");
  };
  const option = (label, n, active) => {
    const made = h("li", { id: `class-${n}`, role: "option", "aria-selected": String(Boolean(active)) }, label);
    made.addEventListener("click", () => take(label));
    made.addEventListener("dragover", (event) => { event.preventDefault(); event.dataTransfer.dropEffect = "move"; made.classList.add("over"); });
    made.addEventListener("dragleave", () => made.classList.remove("over"));
    made.addEventListener("drop", (event) => { event.preventDefault(); made.classList.remove("over"); take(label); });
    return made;
  };
  field.addEventListener("input", () => { at = 0; show(); });
  field.addEventListener("keydown", (event) => {
    const found = matches(labels, field.value.trim());
    if (event.key === "ArrowDown" || event.key === "ArrowUp") at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % (found.length || 1);
    else if (event.key === "Enter" && field.value.trim() && found.length) { take(found[at]); ondone(); }
    else if (event.key === "Enter" && !make.hidden) make.focus(); // a new class is made on purpose only
    else if (event.key === "Escape") { field.value = ""; ondone(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    show();
  });
  make.addEventListener("click", ondone);
  const offer = (found) => { labels = [...new Set([...found, ...others])].sort(compare); show(); };
  const fill = async () => {
    try {
      const found = [];
      for await (const { label } of everything(pathOf(collection, "classes"), {}, signal)) found.push(label);
      offer(found);
    } catch { /* a name can still be typed; the view reports the problem */ }
  };
  document.addEventListener("changed", fill, { signal });
  fill();
  const made = h("div", { class: "picker" }, field, make, list);
  made.field = field;
  made.also = (names) => { others = names; offer(labels); };
  return made;
}

const { compare } = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Labels that match a text: equal ones, then those that begin with it, then those that contain it. */
function matches(labels, typed) {
  const text = typed.toLowerCase();
  if (!text) return labels.slice(0, MOST);
  const rank = (label) => { const low = label.toLowerCase(); return low === text ? 0 : low.startsWith(text) ? 1 : low.includes(text) ? 2 : 3; };
  return labels.map((label) => [rank(label), label]).filter(([one]) => one < 3)
    .sort(([one], [other]) => one - other).map(([, label]) => label).slice(0, MOST);
}

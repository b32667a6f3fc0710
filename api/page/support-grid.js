// Supports as a grid of small pictures, to look through, move and remove; any number of them.

import { call, pathOf } from "./api.js";
import { button, count, h } from "./element.js";
import { labelForm, labelList } from "./label-field.js";
import { list } from "./list.js";
import { picture } from "./picture.js";
import { problem } from "./messages.js";
import { changed, done, isGoing, later, settle, supportsName } from "./undo.js";

const AT_ONCE = 200;

/**
 * @param {string} collection
 * @param {string | null} label of one class, or null for all
 * @param {AbortSignal} signal
 * @param {any} [several] what shows and changes labels where a picture may have several
 */
export function supportGrid(collection, label, signal, several = null) {
  const goingNames = several?.goingNames ?? ((_, one) => [supportsName(collection, one.label) + one.id]);
  const names = labelList(collection, signal);
  const grid = h("ul", { class: "grid", onchange: () => update() });
  const shown = list({
    path: pathOf(collection, "supports"), query: { limit: AT_ONCE, label }, element: grid, signal,
    draw: (one) => (isGoing(goingNames(collection, one)[0]) ? null : tile(one, label === null, several)),
    empty: h("p", { class: "quiet" }, "No pictures yet."),
  });
  const selected = h("span", { "aria-live": "polite" });
  const wrong = h("div");
  const ticked = () => [...grid.querySelectorAll("input:checked")].map((box) => box.support);
  const attempt = async (act) => {
    wrong.replaceChildren();
    try {
      await act();
    } catch (error) {
      wrong.replaceChildren(problem(error));
    }
    changed();
  };
  const move = several?.supportLabels(collection, { list: names, ticked, attempt }) ?? labelForm({ name: "Move to", action: "Move", list: names, placeholder: "another class", onlabel: (to) => attempt(async () => {
    await settle();
    const moved = [];
    try {
      for (const one of ticked()) {
        await call("PATCH", pathOf(collection, "supports", one.id), { json: { label: to } });
        moved.push(one);
      }
    } finally {
      if (moved.length) done(`${count(moved.length, "picture")} moved to ${to}`, async () => {
        for (const one of moved) await call("PATCH", pathOf(collection, "supports", one.id), { json: { label: one.label } });
      });
    }
  }) });
  const remove = button(several ? "Remove pictures" : "Remove", () => {
    const gone = ticked();
    later(gone.flatMap((one) => goingNames(collection, one)), `${count(gone.length, "picture")} removed`, (keepalive) =>
      Promise.all(gone.map((one) => call("DELETE", pathOf(collection, "supports", one.id), { keepalive }))));
  }, { class: "danger small" });
  const bar = h("div", { class: "selection", hidden: true }, selected, move, remove, wrong);
  const update = () => {
    const number = ticked().length;
    bar.hidden = number === 0 && !wrong.childElementCount;
    selected.textContent = number ? `${count(number, "picture")} selected` : "";
  };
  document.addEventListener("changed", () => { shown.refresh(); bar.hidden = !wrong.childElementCount; }, { signal });
  return h("div", {}, shown, bar, names);
}

function tile(support, withLabel, several) {
  const name = support.external_id ?? `${support.label ?? (support.labels.join(", ") || "none of the labels")}, number ${support.id}`;
  const box = h("input", { type: "checkbox", "aria-label": `Select ${name}` });
  box.support = support;
  return h("li", {}, h("label", { class: "tile" }, box, picture(support.thumbnail, name), withLabel && !several && h("span", { class: "label" }, support.label)), several?.chips(support));
}

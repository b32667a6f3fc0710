// Adding and removing labels of ticked pictures, where a picture may have several.

import { call, pathOf } from "./api.js";
import { button, count, h } from "./element.js";
import { labelForm } from "./label-field.js";
import { done, settle, supportsName } from "./undo.js";

/**
 * @param {string} collection
 * @param {{list: any, ticked: () => any[], attempt: (act: () => Promise<void>) => void}} options
 */
export function supportLabels(collection, { list, ticked, attempt }) {
  const put = (one, json) => call("PATCH", pathOf(collection, "supports", one.id), { json });
  const change = (text, json) => attempt(async () => {
    await settle();
    const changed = [];
    try {
      for (const one of ticked()) {
        await put(one, json);
        changed.push(one);
      }
    } finally {
      if (changed.length) done(`${count(changed.length, "picture")}: ${text}`, async () => {
        for (const { id, labels, complete } of changed) await put({ id }, { labels, complete });
      });
    }
  });
  const form = labelForm({ name: "Label", action: "Add label", list, placeholder: "label", onlabel: (label) => change(`${label} added`, { add: [label] }) });
  const remove = button("Remove label", () => {
    const label = form.field.value.trim();
    if (label) change(`${label} removed`, { remove: [label] });
    else form.field.focus();
  }, { class: "small" });
  const whole = (text, said, complete) => button(text, () => change(said, { complete }), { class: "small" });
  return h("div", { class: "row" }, form, remove, whole("These are all labels", "no other labels", true), whole("There may be more", "maybe other labels", false));
}

export { chips } from "./chips.js";

/** What a picture is called while it waits to be gone: once of the collection, and once of each label. */
export function goingNames(collection, { id, labels }) {
  return ["", ...labels].map((label) => supportsName(collection, label) + id);
}

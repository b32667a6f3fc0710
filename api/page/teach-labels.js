// What the panel of examples has where a picture may have several labels: the field, and what came of it.

import { page } from "./api.js";
import { chips } from "./chips.js";
import { button, count, h } from "./element.js";
import { labelsField } from "./labels-field.js";
import { say } from "./messages.js";

const SHOWN = 24; // pictures whose labels are listed

/** @param {any} list of suggestions */
export function severalLabels(list) {
  const hint = h("p", { class: "quiet", id: "complete-help", "aria-live": "polite" });
  const complete = h("input", { type: "checkbox", id: "complete", "aria-describedby": "complete-help" });
  const show = () => {
    const none = field.isEmpty();
    hint.textContent = !complete.checked ? "Other labels are left open: a picture may have them too."
      : none ? "No labels: the pictures have none of the labels." : "The pictures have no other labels.";
  };
  const field = labelsField({ id: "label", name: "Labels", list, onchange: () => show() });
  complete.addEventListener("change", show);
  show();
  const given = () => ({ labels: field.values(), complete: complete.checked });
  return {
    element: h("div", { class: "several" }, field,
      h("div", { class: "row check" }, complete, h("label", { for: "complete" }, "These are all its labels")), hint),
    field: field.field,
    text: "Drop pictures with these labels here",
    hint: "Or drop a folder with one subfolder per label. The same picture in several folders gets the labels of all.",
    /** The labels of the field, or null where it has none. */
    given: () => (given().labels.length ? given().labels : null),
    /** Pictures with their labels: of the field, or else of their folder. */
    named: (pictures) => pictures.map((one) => ({ ...one, labels: [one.label || []].flat(), complete: complete.checked })),
    isNamed: ({ labels, complete: all }) => labels.length > 0 || all,
    what(pictures) {
      const labels = new Set(pictures.flatMap((one) => one.labels));
      return `${count(pictures.length, "example")} ${labels.size > 4 ? `with ${count(labels.size, "label")}` : labels.size ? `with ${[...labels].join(", ")}` : "with none of the labels"}`;
    },
    /** Ask for labels; `onlabels` goes on. */
    ask(number, onlabels, ondiscard) {
      field.field.focus();
      say("Enter labels for these pictures");
      return [h("p", { class: "lead" }, `Which labels ${number === 1 ? "does this picture" : `do these ${count(number, "picture")}`} have? Enter them above, or tick the box if they have none.`),
        h("div", { class: "row" }, button("Add", onlabels, { class: "primary" }), button("Discard", ondiscard, { class: "small" }))];
    },
    clear() { field.clear(); complete.checked = false; show(); },
    async outcome(job, what, signal) {
      const { items } = await page(job.links.results, { limit: SHOWN, status: "done" }, signal).catch(() => ({ items: [] }));
      const more = job.progress.done - items.length;
      return [h("p", { class: "ok" }, `Added ${what}`),
        h("ul", { class: "enrolled", "aria-label": "Labels now" }, items.map((one) => h("li", {},
          h("span", { class: "file" }, `${one.custom_id ?? `picture ${one.item + 1}`}${one.duplicate_of == null ? "" : ", already there"}`), chips(one)))),
        items.length > 0 && more > 0 && h("p", { class: "quiet" }, `and ${count(more, "more picture")}`)].filter(Boolean);
    },
  };
}

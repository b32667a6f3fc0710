// Labels as chips, where a picture may have several; their own style sheet comes with them.

import { h, percent } from "./element.js";
import { evidence } from "./evidence.js";
import { specific } from "./verdicts.js";

await new Promise((resolve) => { // the views that show chips wait for it
  document.head.append(h("link", { rel: "stylesheet", href: new URL("chips.css", import.meta.url).href, onload: resolve, onerror: resolve }));
});

export const NONE = "None of the labels";

/** The labels of a picture, without those that others imply; `complete` says that it has no others. */
export function chips({ labels, complete }) {
  return h("ul", { class: "chips" }, specific(labels).map((label) => h("li", { class: "tag" }, label)),
    complete && h("li", { class: "quiet" }, labels.length ? "all its labels" : NONE));
}

/** What stands in the chip of an answer's label: its probability, and whether it is certain. */
export function chipText({ label, probability, decision }) {
  return h("span", {}, decision === "unsure" && h("span", { "aria-hidden": "true" }, "? "), label,
    probability != null && h("span", { class: "share" }, ` ${percent(probability)}`), decision === "unsure" && h("span", { class: "share" }, " unsure"));
}

/** The examples behind a label, or the nearest ones where the answer does not name them. */
export function behind(collection, entry, { neighbours }) {
  const decided = entry.explanation?.supports?.length > 0;
  return [decided && h("p", { class: "quiet" }, "Examples behind ", h("strong", {}, entry.label)), evidence(collection, { ...entry, neighbours })].filter(Boolean);
}

/** The examples behind the best label of an answer, of those that no other one implies. */
export function whyOf(collection, result) {
  const [first] = specific(result.labels.map(({ label }) => label));
  return behind(collection, result.labels.find(({ label }) => label === first) ?? {}, result);
}

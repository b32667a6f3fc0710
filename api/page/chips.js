// Labels as chips, where a picture may have several; their own style sheet comes with them.

import { h, percent } from "./element.js";

await new Promise((resolve) => { // the views that show chips wait for it
  document.head.append(h("link", { rel: "stylesheet", href: new URL("chips.css", import.meta.url).href, onload: resolve, onerror: resolve }));
});

export const NONE = "None of the labels";

/** The labels of a picture; `complete` says that it has no others. */
export function chips({ labels, complete }) {
  return h("ul", { class: "chips" }, labels.map((label) => h("li", { class: "tag" }, label)),
    complete && h("li", { class: "quiet" }, labels.length ? "all its labels" : NONE));
}

/** What stands in the chip of an answer's label: its probability, and whether it is certain. */
export function chipText({ label, probability, decision }) {
  return h("span", {}, decision === "unsure" && h("span", { "aria-hidden": "true" }, "? "), label,
    probability != null && h("span", { class: "share" }, ` ${percent(probability)}`), decision === "unsure" && h("span", { class: "share" }, " unsure"));
}

/** Labels with all that they imply: what is `animal/dog` is also `animal`. */
export function withParents(labels) {
  const all = labels.flatMap((label) => label.split("/").map((_, n, parts) => parts.slice(0, n + 1).join("/")));
  return [...new Set(all)].sort();
}

/** Whether a label is another one, or implies it. */
export function isWithin(label, other) {
  return label === other || label.startsWith(`${other}/`);
}

// Labels as chips, where a picture may have several; their own style sheet comes with them.

import { h, percent } from "./element.js";
import { evidence } from "./evidence.js";
import { picture } from "./picture.js";
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

/** The part that decided about a label, if not the whole picture, and the examples behind it, or else the nearest ones. */
export function behind(job, entry, { item, neighbours }) {
  const decided = entry.explanation?.supports?.length > 0;
  return [decided && h("p", { class: "quiet" }, "Examples behind ", h("strong", {}, entry.label)), entry.part && partOf(job, item, entry),
    evidence(job.collection, { ...entry, neighbours })].filter(Boolean);
}

function partOf(job, item, { label, part: { x, y, width, height } }) {
  const frame = h("span");
  const [left, top, across, down] = [x, y, width, height].map((share) => `${share * 100}%`);
  Object.assign(frame.style, { left, top, width: across, height: down });
  return h("p", { class: "part" }, picture(`/v1/jobs/${job.id}/items/${item}/thumbnail`, `In a frame: the part that decided about ${label}`), frame);
}

/** The examples behind the best label of an answer, of those that no other one implies. */
export function whyOf(job, result) {
  const [first] = specific(result.labels.map(({ label }) => label));
  return behind(job, result.labels.find(({ label }) => label === first) ?? {}, result);
}

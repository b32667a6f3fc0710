// The examples behind an answer, each of which can be opened.

import { pathOf } from "./api.js";
import { button, h, percent } from "./element.js";
import { openPicture } from "./lightbox.js";
import { picture } from "./picture.js";

const MOST = 4;

/** The supports that decided an answer by their share of it, or the nearest ones by their similarity. */
export function evidence(collection, { label, explanation, neighbours }) {
  const decided = label != null && explanation?.supports?.length > 0;
  const reasons = decided ? explanation.supports : neighbours ?? [];
  if (!reasons.length) return h("p", { class: "quiet" }, "No examples to compare with yet.");
  return h("div", { class: "because" },
    h("span", { class: "quiet" }, decided ? "based on (share of the decision)" : "closest (similarity)"),
    h("ul", {}, reasons.slice(0, MOST).map((one) => reason(collection, one, decided))));
}

function reason(collection, one, decided) {
  const similar = `similarity ${one.similarity.toFixed(2)}`;
  const title = `${one.label ?? (one.labels.join(", ") || "none of the labels")}, ${decided ? `${percent(one.share)} of the decision, ` : ""}${similar}`;
  const open = button(picture(one.thumbnail, ""), () => openSupport(collection, one.support_id, one.label ?? one.labels.at(-1), title),
    { class: "thumb", title, "aria-label": `Open example: ${title}` });
  return h("li", {}, open, h("span", {}, decided ? percent(one.share) : one.similarity.toFixed(2)));
}

/** Show an example large, with the way to its class. */
export function openSupport(collection, id, label, title) {
  const path = pathOf(collection, "supports", id);
  openPicture(`${path}/thumbnail?side=1024`, title, label && h("a", { href: `#/c/${collection}/class/${encodeURIComponent(label)}` }, `Open class ${label}`));
}

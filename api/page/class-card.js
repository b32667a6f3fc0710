// A class in the grid: its first pictures, its label, how many there are.

import { count, h } from "./element.js";
import { picture } from "./picture.js";
import { goingAmong, supportsName } from "./undo.js";

export function classCard(collection, { label, kind, supports, thumbnails }) {
  return h("li", {}, h("a", { class: "class-card", href: `#/c/${collection}/class/${encodeURIComponent(label)}` },
    h("span", { class: "mosaic" }, thumbnails.length ? thumbnails.map((path) => picture(path, "")) : h("span", { class: "quiet" }, "No pictures yet")),
    h("span", { class: "label" }, label),
    h("span", { class: "quiet" }, count(supports - goingAmong(supportsName(collection, label)), "picture"), kind === "negative" && ", background")));
}

// A collection: add examples, classify pictures, browse classes.

import { ask } from "./ask.js";
import { call, pathOf } from "./api.js";
import { classCard } from "./class-card.js";
import { count, h } from "./element.js";
import { encoderNote } from "./encoder-note.js";
import { list } from "./list.js";
import { teach } from "./teach.js";
import { goingAmong, isGoing } from "./undo.js";

export async function collectionView({ collection }, signal) {
  const found = await call("GET", pathOf(collection), { signal });
  const counts = h("p", { class: "quiet" });
  const hint = h("p", { class: "hint", role: "status" });
  const place = h("section", { class: "asked", "aria-live": "off" });
  const classes = list({
    path: pathOf(collection, "classes"), query: { limit: 100 }, element: h("ul", { class: "classes" }), signal,
    draw: (one) => (isGoing(goingName(collection, one.label)) ? null : classCard(collection, one)),
    empty: h("p", { class: "quiet" }, "No classes yet. Add a few pictures of one thing; three to five are a good start."),
  });
  const many = found.labels === "many";
  const examples = teach(collection, signal, many && (await import("./teach-labels.js")).severalLabels);
  const show = (now) => {
    counts.textContent = `${count(now.classes, "class", "classes")}, ${count(now.supports - goingAmong(`${collection}#`), "picture")}`;
    hint.textContent = now.classes === 1 && !many ? "Only one class so far. Add a second one: an answer is a choice between classes." : "";
  };
  const refresh = async () => {
    classes.refresh();
    show(await call("GET", pathOf(collection), { signal }).catch(() => found));
  };
  document.addEventListener("changed", refresh, { signal });
  show(found);
  return {
    title: collection, collection, tab: "",
    parts: [
      h("div", { class: "panels" }, examples, ask(collection, { signal, place, onanswers: examples.fold })), hint, place,
      h("section", { "aria-labelledby": "classes-title" },
        h("div", { class: "row spread" }, h("h2", { id: "classes-title" }, "Classes"), counts), classes),
      await encoderNote(collection, signal, found),
    ],
  };
}

/** What a class is called while it waits to be gone. */
export function goingName(collection, label) {
  return `${collection}/${label}`;
}

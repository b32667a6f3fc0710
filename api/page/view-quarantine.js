// What contributors enrolled: seen with its label and effect, ticked, accepted or refused.

import { call, pathOf } from "./api.js";
import { button, count, h, percent } from "./element.js";
import { list } from "./list.js";
import { picture } from "./picture.js";
import { isGoing, later } from "./undo.js";

const AT_ONCE = 1000;
const WAIT = { Prefer: "wait=10" };

export async function quarantineView({ collection }, signal) {
  const odd = new Map(); // what looks like another class
  const grid = h("ul", { class: "grid", onchange: () => update() });
  const shown = list({
    path: pathOf(collection, "quarantine"), query: { limit: 200 }, element: grid, signal, draw: (one) => (isGoing(nameOf(one)) ? null : tile(one, odd)),
    empty: h("p", { class: "quiet" }, "Nothing waits. A key that may contribute enrols pictures that wait here: exemplar keys create NAME --scope contribute."),
  });
  const effect = h("p", { class: "hint", role: "status" });
  const judge = async () => {
    effect.textContent = "";
    const found = await effectOf(collection, signal).catch(() => null); // of several labels there is none
    odd.clear();
    for (const one of found?.suspects.items ?? []) odd.set(one.id, one.looks_like);
    for (const item of grid.children) item.mark();
    if (found?.added) effect.textContent = sayEffect(found);
  };
  const boxes = () => [...grid.querySelectorAll("input")];
  const ticked = () => boxes().filter((box) => box.checked).map((box) => box.one);
  const decide = (how, said) => () => {
    const which = ticked();
    later(which.map(nameOf), `${count(which.length, "picture")} ${said}`, async (keepalive) => {
      for (let n = 0; n < which.length; n += AT_ONCE) {
        await call("POST", pathOf(collection, "quarantine", how), { json: { ids: which.slice(n, n + AT_ONCE).map((one) => one.id) }, keepalive });
      }
    });
  };
  const number = h("span", { "aria-live": "polite" });
  const bar = h("div", { class: "selection", hidden: true }, number, button("Accept", decide("accept", "accepted"), { class: "primary small" }),
    button("Refuse", decide("refuse", "refused"), { class: "danger small" }));
  const update = () => {
    const some = ticked().length;
    bar.hidden = !some;
    number.textContent = some ? `${count(some, "picture")} selected` : "";
  };
  const all = button("Select all shown", () => { for (const box of boxes()) box.checked = true; update(); }, { class: "small" });
  document.addEventListener("changed", async () => { await shown.refresh(); update(); judge(); }, { signal });
  judge();
  return {
    title: "Contributions", collection, tab: "quarantine",
    parts: [h("div", { class: "row spread" }, h("p", { class: "quiet" }, "No answer uses these until you accept them."), all), effect, shown, bar],
  };
}

/** A link to what waits, or null. */
export async function waitingLink(collection, signal) {
  const found = await call("GET", `${pathOf(collection, "quarantine")}?limit=1`, { signal }).catch(() => null); // not for this key
  return found?.items.length ? h("p", { class: "hint" }, h("a", { href: `#/c/${collection}/quarantine` }, "Pictures from contributors wait for you")) : null;
}

async function effectOf(collection, signal) {
  for (;;) {
    const found = await call("GET", pathOf(collection, "quarantine", "effect"), { headers: WAIT, signal });
    if ("suspects" in found) return found;
  }
}

function sayEffect({ added, judged, before, after, suspects }) {
  const looks = suspects.total ? ` ${count(suspects.total, "of them looks", "of them look")} like another class.` : "";
  if (before === null) return `${count(added, "picture")}. Your own examples are too few to judge them by.${looks}`;
  return `Of your own ${count(judged, "example")}, ${percent(before)} are recognised now, and ${percent(after)} with all of these.${looks}`;
}

function tile(one, odd) {
  const label = one.label ?? (one.labels.join(", ") || "none of the labels");
  const box = h("input", { type: "checkbox", "aria-label": `Select ${one.external_id ?? `${label}, number ${one.id}`}` });
  box.one = one;
  const note = h("span", { class: "quiet label" });
  const made = h("li", {}, h("label", { class: "tile", title: `from ${one.key_name}` }, box, picture(one.thumbnail, one.external_id ?? label), h("span", { class: "label" }, label), note));
  made.mark = () => { note.textContent = odd.has(one.id) ? `looks like ${odd.get(one.id)}` : `from ${one.key_name}`; };
  made.mark();
  return made;
}

function nameOf({ id }) {
  return `contribution#${id}`;
}

// The answers as a grid of tiles: any number of them, of which only those near the view are in the document.

import { h, percent } from "./element.js";
import { picture } from "./picture.js";
import { nameOf, saying } from "./wording.js";

const GAP = 8;
const CAPTION = 44;
const ROOM = 600; // px above and below the view that are drawn ahead
const KEPT = 500; // tiles that are kept when out of view, with their pictures
const SHARP = 176; // px of a tile from which on a thumbnail would be blurred

/**
 * @param {any} job
 * @param {import("./review-items.js").ReviewItems} store
 * @param {{signal: AbortSignal, onmove: () => void, onopen: () => void, edges: () => {top: number, bottom: number}}} options
 */
export function reviewGrid(job, store, { signal, onmove, onopen, edges }) {
  const list = h("ul", { class: "tiles", role: "listbox", tabindex: "0", "aria-multiselectable": "true", "aria-label": "Answers" });
  const tiles = new Map();
  const selected = new Set();
  let [at, anchor, size, columns, row, asked] = [0, 0, 144, 1, 1, 0];

  const draw = () => {
    asked = 0;
    const { items } = store;
    const wide = list.clientWidth;
    columns = Math.max(1, Math.floor((wide + GAP) / (size + GAP)));
    const side = Math.floor((wide - GAP * (columns - 1)) / columns);
    row = side + CAPTION + GAP;
    list.style.height = `${Math.ceil(items.length / columns) * row}px`;
    list.style.setProperty("--side", `${side}px`);
    const { top } = list.getBoundingClientRect();
    const first = Math.max(0, Math.floor((-top - ROOM) / row)) * columns;
    const last = Math.min(items.length, Math.ceil((innerHeight - top + ROOM) / row) * columns);
    const shown = new Set();
    for (let n = first; n < last; n += 1) shown.add(tileOf(n, (n % columns) * (side + GAP), Math.floor(n / columns) * row));
    for (const tile of [...list.children]) if (!shown.has(tile)) tile.remove();
    let place = list.firstElementChild;
    for (const tile of shown) {
      if (tile === place) place = place.nextElementSibling;
      else list.insertBefore(tile, place);
    }
    const current = tiles.get(items[at]?.item);
    if (current?.isConnected) list.setAttribute("aria-activedescendant", current.id);
    else list.removeAttribute("aria-activedescendant");
    forget(shown);
  };
  const tileOf = (n, x, y) => {
    const result = store.items[n];
    let tile = tiles.get(result.item);
    if (!tile) tiles.set(result.item, (tile = makeTile(job, result, size)));
    tile.style.transform = `translate(${x}px, ${y}px)`;
    tile.setAttribute("aria-posinset", String(n + 1));
    tile.setAttribute("aria-setsize", store.complete ? String(store.items.length) : "-1");
    tile.setAttribute("aria-selected", String(selected.has(result.item)));
    tile.classList.toggle("current", n === at);
    tile.show(result);
    return tile;
  };
  const forget = (shown) => {
    for (const [item, tile] of tiles) {
      if (tiles.size <= KEPT) return;
      if (!shown.has(tile)) tiles.delete(item);
    }
  };
  const later = () => { asked ||= requestAnimationFrame(draw); };
  const indexOf = (event) => store.items.findIndex(({ item }) => item === event.target.closest("li")?.result.item);
  const range = (from, to) => store.items.slice(Math.min(from, to), Math.max(from, to) + 1).map(({ item }) => item);

  const grid = {
    element: list,
    get at() { return at; },
    get current() { return store.items[at] ?? null; },
    get selected() { return selected.size; },
    /** What the next verdict is for: the selected answers, or the current one. */
    chosen: () => (selected.size ? store.items.filter(({ item }) => selected.has(item)) : [store.items[at]].filter(Boolean)),
    /** Make an answer the current one, and the selection reach to it where it is extended. */
    go(to, { extend = false, reveal = true } = {}) {
      at = Math.max(0, Math.min(to, store.items.length - 1));
      if (extend) { selected.clear(); for (const item of range(anchor, at)) selected.add(item); } else anchor = at;
      if (reveal) grid.reveal();
      later();
      onmove();
    },
    step: (columnsRight, rowsDown, options) => grid.go(at + columnsRight + rowsDown * columns, options),
    /** Go to the next unreviewed answer after the current one. */
    next() {
      const { items } = store;
      const after = items.findIndex((one, n) => n > at && !one.reviewed);
      grid.go(after >= 0 ? after : Math.min(at + 1, items.length - 1));
    },
    toggle() {
      const { item } = store.items[at];
      if (!selected.delete(item)) selected.add(item);
      later();
      onmove();
    },
    selectAll() { for (const { item } of store.items) selected.add(item); later(); onmove(); },
    clear() { selected.clear(); anchor = at; later(); onmove(); },
    zoom(to) {
      if ((to > SHARP) !== (size > SHARP)) tiles.clear();
      size = to;
      draw();
      grid.reveal();
    },
    reveal() {
      const { top, bottom } = edges();
      const y = list.getBoundingClientRect().top + Math.floor(at / columns) * row;
      const past = y + row - (innerHeight - bottom);
      if (y < top) scrollBy(0, y - top);
      else if (past > 0) scrollBy(0, past);
    },
    reset() { at = anchor = 0; selected.clear(); tiles.clear(); later(); },
  };
  list.addEventListener("click", (event) => {
    const n = indexOf(event);
    if (n < 0) return;
    const only = !event.shiftKey && !event.ctrlKey && !event.metaKey && !list.classList.contains("picking");
    if (only) selected.clear();
    else if (!event.shiftKey && event.ctrlKey && !selected.size) selected.add(store.items[at].item); // as in a file manager
    grid.go(n, { extend: event.shiftKey, reveal: false });
    if (!only && !event.shiftKey) grid.toggle();
    if (only) onopen(event);
  });
  list.addEventListener("dragstart", (event) => {
    const n = indexOf(event);
    if (n < 0) return;
    if (!selected.has(store.items[n].item)) { selected.clear(); grid.go(n, { reveal: false }); }
    event.dataTransfer.setData("text/x-answers", String(grid.chosen().length));
    event.dataTransfer.effectAllowed = "move";
  });
  addEventListener("scroll", later, { signal, passive: true });
  store.addEventListener("change", later);
  const watch = new ResizeObserver(later);
  watch.observe(list);
  signal.addEventListener("abort", () => watch.disconnect());
  return grid;
}

function makeTile(job, result, size) {
  const label = h("span", { class: "label" });
  const sure = h("span", { class: "quiet" });
  const path = `/v1/jobs/${job.id}/items/${result.item}/thumbnail${size > SHARP ? "?side=320" : ""}`;
  const tile = h("li", { id: `answer-${result.item}`, role: "option", draggable: "true", title: nameOf(result) }, picture(path, ""), label, sure);
  tile.result = result;
  tile.show = (now) => {
    const text = saying(now);
    const state = `${text.label}|${text.note}`;
    if (tile.dataset.state === state) return;
    tile.dataset.state = state;
    tile.className = `${tile.classList.contains("current") ? "current " : ""}${now.reviewed ? "done" : now.decision === "none" ? "" : now.decision}`;
    label.textContent = text.label;
    sure.textContent = text.note;
    tile.setAttribute("aria-label", `${nameOf(now)}: ${text.label}, ${text.note}`);
  };
  return tile;
}

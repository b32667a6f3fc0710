// The answers of a job to look through and put right: a grid, the current picture, and the keyboard.

import { call, pathOf } from "./api.js";
import { classPicker } from "./class-picker.js";
import { button, count, h, keepHeight } from "./element.js";
import { problem } from "./messages.js";
import { askAgain, groupsPanel } from "./review-again.js";
import { queryOf, reviewFilters } from "./review-filters.js";
import { reviewGrid } from "./review-grid.js";
import { ReviewItems } from "./review-items.js";
import { onKeys, showKeys } from "./review-keys.js";
import { reviewPanel } from "./review-panel.js";
import { changed } from "./undo.js";
import { adding } from "./verdicts.js";

const ZOOM = { min: 80, max: 320, step: 24, value: 152 };
const WIDE = matchMedia("(min-width: 60rem)");

let styled = null;

export async function reviewView({ id, query: asked = {} }, signal) {
  styled ??= style();
  const [job] = await Promise.all([call("GET", `/v1/jobs/${id}`, { signal }), styled]);
  const many = (await call("GET", pathOf(job.collection), { signal }).catch(() => ({}))).labels === "many";
  const make = many && (await import("./review-labels.js")).reviewLabels;
  const store = new ReviewItems(job, signal);
  const keys = () => showKeys(many);
  const wrong = h("div");
  const examples = h("input", { type: "checkbox", id: "examples", checked: !many });
  const bar = toolbar(store);
  const edges = () => ({ top: bar.element.getBoundingClientRect().bottom, bottom: document.getElementById("toasts").offsetHeight + 8 });
  const attempt = async (act) => {
    wrong.replaceChildren();
    try {
      return await act();
    } catch (error) {
      if (!signal.aborted) wrong.replaceChildren(problem(error));
      return null;
    }
  };
  const verdict = (given, all = grid.chosen()) => {
    if (!all.length) return;
    const results = many && given.accepted ? all.filter((one) => !one.reviewed) : all; // what somebody changed stands as it is
    if (results.length) attempt(async () => { await store.judge(results, given, { examples: examples.checked }); if (given.label) changed(); });
    if (given.add || given.remove) return; // one label of several: the picture may have more
    if (grid.selected) grid.clear();
    else grid.next();
  };
  const several = make && make(job, { chosen: () => grid.chosen(), onverdict: verdict });
  const picker = classPicker(job.collection, { signal, noun: many ? "label" : "class", onlabel: (label) => verdict(many ? adding(label) : { label }), ondone: () => grid.element.focus({ preventScroll: true }) });
  const panel = reviewPanel(job, { signal, picker, onverdict: verdict, onclear: () => attempt(() => store.clear(grid.chosen())), onstep: (step) => grid.step(step, 0), several });
  const show = () => { panel.show(grid.current, grid.selected); bar.select(grid.selected); };
  const grid = reviewGrid(job, store, { signal, edges, onmove: show, onopen: () => { if (!WIDE.matches) panel.toggle(); } });
  const undo = () => attempt(async () => {
    const [first] = await store.undo() ?? [];
    const at = store.items.indexOf(first);
    if (at >= 0) grid.go(at);
    changed();
  });
  const load = (query) => { grid.reset(); return store.load(query); };
  const filters = reviewFilters(asked, load, many);
  const reload = async (text) => { await load(filters.read()); bar.said(text); changed(); };
  const groups = groupsPanel(job, { signal, onnamed: (text) => { reload(text); } });
  const again = button("", () => attempt(async () => { again.disabled = true; try { await reload(await askAgain(job, signal)); } finally { again.disabled = false; } }), { class: "small" });
  const acceptAbove = async (share) => attempt(async () => {
    const results = await store.matching({ decision: "known", min_confidence: share, reviewed: false });
    if (results.length) await store.judge(results, { accepted: true }, { examples: false });
    else bar.said(`No unreviewed answer is recognised with ${Math.round(share * 100)} % or more`);
  });
  bar.element.append(
    bar.progress, h("details", { class: "more-filters", open: WIDE.matches }, h("summary", {}, "Filters"), filters),
    h("div", { class: "row" },
      button("Select all", () => grid.selectAll(), { class: "small" }), bar.picking(grid), bar.clearing(grid), bar.accepting(acceptAbove),
      h("label", { class: "row check" }, examples, "Labelled pictures become examples"),
      again, !many && button("Group the unknown", () => groups.open(), { class: "small" }), zoom(grid), button("Keys", keys, { class: "small keys-button", "aria-keyshortcuts": "?" })),
    bar.last(undo), wrong);
  const offer = () => { // what has been reviewed is left alone
    const { done = 0, reviewed = 0 } = store.summary ?? {};
    again.textContent = done > reviewed ? `Ask ${count(done - reviewed, "answer")} again` : "Ask again";
    again.hidden = done <= reviewed || !store.complete;
  };
  store.addEventListener("change", () => { bar.show(); show(); offer(); });
  store.addEventListener("act", ({ detail }) => { filters.count(store.summary); if (many) picker.also(Object.keys(store.summary.final_labels)); bar.show(); offer(); if (detail) bar.said(detail); });
  const arrow = (right, down) => (event) => grid.step(right, down, { extend: event.shiftKey });
  const candidate = (n) => () => { if (several) return several.toggleAt(grid.current, n); const one = grid.current?.candidates?.[n]; if (one) verdict({ label: one.label }); return undefined; };
  onKeys({
    ArrowLeft: arrow(-1, 0), ArrowRight: arrow(1, 0), ArrowUp: arrow(0, -1), ArrowDown: arrow(0, 1),
    Home: (event) => grid.go(0, { extend: event.shiftKey }), End: (event) => grid.go(store.items.length - 1, { extend: event.shiftKey }),
    ...Object.fromEntries(Array.from({ length: many ? 9 : 3 }, (_, n) => [n + 1, candidate(n)])),
    Enter: () => verdict({ accepted: true }), u: () => verdict(many ? { labels: [] } : { label: null }),
    z: undo, "Ctrl+z": undo, x: () => grid.toggle(), "Ctrl+a": () => grid.selectAll(), " ": () => panel.toggle(), "?": keys,
    "/": () => picker.field.focus(), "+": () => bar.zoomBy(1), "=": () => bar.zoomBy(1), "-": () => bar.zoomBy(-1),
    Escape: () => (panel.dialog.open ? panel.dialog.close() : grid.clear()),
  }, signal);
  keepHeight(bar.element, "--bar", signal);
  load(queryOf(asked));
  return {
    title: "Review", tab: "job", wide: true, focus: grid.element,
    trail: [["Jobs", "#/jobs"], [job.collection || "Job", `#/jobs/${id}`]],
    parts: [bar.element, groups, h("div", { class: "review" }, h("div", {}, grid.element, bar.empty), panel.place)],
  };
}

// its own style sheet, which no other view needs
function style() {
  return new Promise((resolve) => {
    document.head.append(h("link", { rel: "stylesheet", href: new URL("review.css", import.meta.url).href, onload: resolve, onerror: resolve }));
  });
}

function zoom(grid) {
  const slider = h("input", { type: "range", id: "zoom", "aria-label": "Size of the pictures", ...ZOOM });
  slider.addEventListener("input", () => grid.zoom(Number(slider.value)));
  queueMicrotask(() => grid.zoom(ZOOM.value));
  return slider;
}

// Progress, the last step with its undo, and what is done with many answers.
function toolbar(store) {
  const progress = h("progress", { max: 1, value: 0, "aria-label": "Reviewed" });
  const reviewed = h("strong", { class: "reviewed" });
  const last = h("span", { role: "status" });
  const undo = button("Undo", null, { class: "small", hidden: true, "aria-keyshortcuts": "Z" });
  const selected = h("span", { class: "quiet" });
  const clear = button("Clear selection", null, { class: "small", hidden: true });
  const empty = h("p", { class: "quiet" });
  const element = h("section", { class: "review-bar", "aria-label": "Review" });
  return {
    element,
    empty,
    progress: h("div", { class: "row progress" }, reviewed, progress, selected),
    said: (text) => { last.textContent = text; undo.hidden = !store.canUndo; },
    show() {
      const { done = 0, reviewed: number = 0 } = store.summary ?? {};
      reviewed.textContent = `${number.toLocaleString("en")} of ${done.toLocaleString("en")} reviewed`;
      progress.value = done ? number / done : 0;
      const shown = store.items.length;
      selected.dataset.shown = shown === done ? "" : `${count(shown, "picture")} shown`;
      empty.replaceChildren(store.problem ? problem(store.problem) : store.complete && !shown ? "No answers match." : shown ? "" : "Loading…");
      this.select(this.number ?? 0);
    },
    select(number) {
      this.number = number;
      selected.textContent = number ? `${number} selected` : selected.dataset.shown ?? "";
      clear.hidden = !number;
    },
    last(act) {
      undo.addEventListener("click", act);
      return h("div", { class: "row last" }, last, undo);
    },
    clearing(grid) { clear.addEventListener("click", () => grid.clear()); return clear; },
    picking(grid) {
      const pick = button("Select", () => {
        const on = grid.element.classList.toggle("picking");
        pick.setAttribute("aria-pressed", String(on));
      }, { class: "small touch", "aria-pressed": "false", title: "A tap selects more pictures" });
      return pick;
    },
    accepting(act) {
      const share = h("input", { type: "number", min: 0, max: 100, value: 90, required: true, "aria-label": "Least confidence, in percent" });
      const form = h("form", { class: "row accept" }, h("button", { class: "small" }, "Accept all recognised from"), share, "%");
      form.addEventListener("submit", (event) => { event.preventDefault(); act(Number(share.value) / 100); });
      return form;
    },
    zoomBy(steps) {
      const slider = document.getElementById("zoom");
      slider.value = String(Number(slider.value) + steps * ZOOM.step);
      slider.dispatchEvent(new Event("input"));
    },
  };
}

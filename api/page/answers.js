// The results of a job: filtered by decision, labelled in groups, downloaded as files.

import { call, page } from "./api.js";
import { answer } from "./answer.js";
import { correct } from "./correct.js";
import { downloads } from "./download.js";
import { button, count, h } from "./element.js";
import { labelForm, labelList } from "./label-field.js";
import { problem } from "./messages.js";

const AT_ONCE = 48;
const FILTERS = {
  all: ["All", {}], known: ["Recognised", { decision: "known" }], ambiguous: ["Not sure", { decision: "ambiguous" }],
  unknown: ["Not recognised", { decision: "unknown" }], none: ["None of the labels", { decision: "none" }], failed: ["Failed", { status: "failed" }],
  reviewed: ["Reviewed", { reviewed: true }],
};

/**
 * @param {any} job
 * @param {{signal: AbortSignal, filter?: string}} options
 */
export function answers(job, { signal, filter = "all" }) {
  const list = labelList(job.collection, signal);
  const tabs = h("div", { class: "row", role: "group", "aria-label": "Filter results" });
  const body = h("div", { class: "body" });
  const selection = selectionBar(job, list, body);
  const more = button("Show more", () => next(), { class: "more", hidden: true });
  let cursor = null;
  let groups = new Map();
  let several = null; // what draws answers of several labels

  const next = async () => {
    more.disabled = true;
    try {
      let found;
      do { // a filtered page may be empty before the last one
        found = await page(job.links.results, { limit: AT_ONCE, cursor, ...FILTERS[filter][1] }, signal);
        if (found.items.some((one) => one.labels)) several ??= (await import("./answer-labels.js")).labelsAnswer;
        for (const result of found.items) place(result);
        const stuck = found.next_cursor === cursor;
        cursor = found.next_cursor;
        if (stuck) break; // the job is still running
      } while (cursor && !found.items.length);
      more.hidden = !cursor;
      if (!body.childElementCount) body.append(h("p", { class: "quiet" }, "No results."));
    } catch (error) {
      if (!signal.aborted) body.append(problem(error, next));
    }
    more.disabled = false;
  };
  const place = (result) => {
    const grouped = !several && (filter === "unknown" || filter === "ambiguous") && result.neighbours?.length;
    const name = grouped ? `Closest to ${result.neighbours[0].label}` : "";
    if (!groups.has(name)) groups.set(name, group(name, body, selection.update));
    groups.get(name).append((several ?? answer)(job, result, { list, onpick: selection.update }));
  };
  const choose = (wanted) => {
    filter = wanted;
    cursor = null;
    groups = new Map();
    body.replaceChildren();
    selection.update();
    for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.filter === filter));
    next();
  };
  const show = async () => {
    const summary = await call("GET", job.links.summary, { signal }).catch(() => null);
    const counts = { all: summary?.done + summary?.failed, failed: summary?.failed, reviewed: summary?.reviewed, ...summary?.decisions };
    const names = Object.keys(FILTERS).filter((name) => name === "all" || counts[name]);
    tabs.replaceChildren(...names.map((name) => button(`${FILTERS[name][0]} ${counts[name] || ""}`, () => choose(name),
      { class: "chip", "data-filter": name, "aria-pressed": String(name === filter) })));
  };
  show();
  next();
  const section = h("section", { class: "answers", "aria-label": "Results" },
    h("div", { class: "row spread" }, tabs, downloads(job, signal)), body, more, selection.bar, list);
  section.refresh = () => { show(); choose(filter); };
  return section;
}

/** The way to the review of a job's answers. */
export function reviewLink({ id, kind }, text = "Review answers") {
  return kind === "classify" ? h("a", { class: "button", href: `#/jobs/${id}/review?order=value` }, text) : "";
}

function group(name, body, update) {
  const cards = h("ul", { class: "cards" });
  const all = button("Select all", () => {
    for (const card of cards.children) if (card.pick && !card.pick.disabled) card.pick.checked = true;
    update();
  }, { class: "small" });
  body.append(name ? h("section", {}, h("div", { class: "row" }, h("h3", {}, name), all), cards) : cards);
  return cards;
}

// One label for all ticked pictures.
function selectionBar(job, list, body) {
  const selected = h("span", { "aria-live": "polite" });
  const wrong = h("div");
  const ticked = () => [...body.querySelectorAll(".answer")].filter((card) => card.pick?.checked);
  const form = labelForm({ name: "Label for the selected pictures", action: "Add to class", list, placeholder: "Class", onlabel: async (label) => {
    const cards = ticked();
    wrong.replaceChildren();
    try {
      if (cards[0].add) { // of several labels
        await cards[0].add(cards, label);
        for (const { pick } of cards) pick.checked = false;
        form.field.value = "";
        return update();
      }
      const undone = () => { for (const card of cards) card.unfixed(); };
      const failed = new Set((await correct(job, cards.map((card) => card.result), { label }, undone)).map((one) => one.error.detail));
      for (const card of cards) card.fixed(label, `Added to ${label}`);
      if (failed.size) wrong.append(problem({ title: "Some pictures were not added", message: [...failed].join("; ") }));
      form.field.value = "";
    } catch (error) {
      wrong.append(problem(error));
    }
    return update();
  } });
  const clear = button("Clear", () => { for (const card of ticked()) card.pick.checked = false; update(); }, { class: "small" });
  const bar = h("div", { class: "selection", hidden: true }, selected, form, clear, wrong);
  const update = () => {
    const cards = ticked();
    const number = cards.length;
    bar.hidden = number === 0 && !wrong.childElementCount;
    if (cards[0]?.add) form.querySelector("button").textContent = "Add label";
    selected.textContent = number ? `${count(number, "picture")} selected` : "";
  };
  return { bar, update };
}

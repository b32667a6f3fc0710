// The report: how accurate a collection is on its own pictures, and what would improve it.

import { call, file, pathOf } from "./api.js";
import { button, count, h, percent } from "./element.js";
import { encoderNote } from "./encoder-note.js";
import { picture } from "./picture.js";
import { problem } from "./messages.js";
import { done } from "./undo.js";
import { follow } from "./watch.js";

export async function reportView({ collection }, signal) {
  const report = await read(collection, signal);
  const parts = report.accuracy == null
    ? [h("p", { class: "hint" }, "Not enough pictures for a report yet: it needs at least two classes with two pictures each.")]
    : [summary(report), matrix(collection, signal)];
  return {
    title: "Report", collection, tab: "report",
    parts: [...parts, wanted(report), pairs(report), suspects(collection, report), table(report), notes(report), await encoderNote(collection, signal)],
  };
}

async function read(collection, signal) {
  for (;;) {
    const found = await call("GET", pathOf(collection, "report"), { headers: { Prefer: "wait=15" }, signal });
    if (found.classes !== undefined) return found;
    for await (const _ of follow(found.id, signal)); // it is being made
  }
}

function summary({ accuracy, judged, macro_avg: macro, version }) {
  return h("dl", { class: "figures" },
    figure(percent(accuracy), `cross-validated accuracy, ${count(judged, "picture")}`),
    macro && figure(percent(macro.f1), "F1, macro average"), figure(String(version), "collection version"));
}

function figure(value, caption) {
  return h("div", {}, h("dd", {}, value), h("dt", { class: "quiet" }, caption));
}

function matrix(collection, signal) {
  const place = h("div", { class: "matrix", tabindex: "0", role: "region", "aria-label": "Confusion matrix" });
  file(pathOf(collection, "report", "confusion.svg"), "image/svg+xml", signal)
    .then((drawing) => {
      const url = URL.createObjectURL(drawing);
      signal.addEventListener("abort", () => URL.revokeObjectURL(url));
      place.append(h("img", { src: url, alt: "Confusion matrix: rows are true classes, columns predicted classes. The lists below give the same figures as text." }));
    })
    .catch((error) => { if (!signal.aborted) place.append(problem(error)); });
  return h("section", {}, h("h2", {}, "Confusions"), place);
}

function wanted({ wanted: { items, total } }) {
  return h("section", {}, h("h2", {}, "What to photograph next"),
    items.length ? h("ul", {}, items.map(({ label, more, reason }) => h("li", {}, h("strong", {}, `${more} more of ${label}`), `: ${reason}`)), rest(items, total))
      : h("p", { class: "quiet" }, "Nothing for now: no class stands out as weak."));
}

function pairs({ confused_pairs: { items, total } }) {
  if (!items.length) return null;
  return h("section", {}, h("h2", {}, "Most confused pairs"),
    h("ul", {}, items.map(({ labels, count: times, rate }) => h("li", {}, `${labels[0]} and ${labels[1]}: ${count(times, "picture")} confused (${percent(rate)})`)), rest(items, total)));
}

function suspects(collection, { suspects: { items, total } }) {
  if (!items.length) return null;
  return h("section", {}, h("h2", {}, "Possible label errors"), h("p", { class: "quiet" }, "Most suspicious first. Check the top of the list; further down most labels are correct."),
    h("ul", { class: "cards" }, items.map((one) => suspect(collection, one)), rest(items, total)));
}

function suspect(collection, { support_id: id, label, looks_like: other }) {
  const path = pathOf(collection, "supports", id);
  const place = h("div", { class: "fix" });
  const move = button(`Move to ${other}`, async () => {
    try {
      await call("PATCH", path, { json: { label: other } });
      place.replaceChildren(`Moved to ${other}`);
      done(`Picture moved to ${other}`, async () => {
        await call("PATCH", path, { json: { label } });
        place.replaceChildren(move);
      });
    } catch (error) {
      place.append(problem(error));
    }
  }, { class: "chip" });
  place.append(move);
  return h("li", { class: "answer" }, picture(`${path}/thumbnail`, `An example of ${label}`, { class: "shown" }),
    h("div", {}, h("p", { class: "verdict" }, h("strong", {}, label)), h("p", { class: "quiet" }, `looks like ${other}`), place));
}

function table({ classes, macro_avg: macro, weighted_avg: weighted }) {
  const cell = (value) => h("td", {}, value == null ? "–" : value.toFixed(2));
  const line = (name, one) => one && h("tr", {}, h("th", { scope: "row" }, name), cell(one.precision), cell(one.recall), cell(one.f1), h("td", {}, String(one.judged)));
  return h("section", {}, h("h2", {}, "Metrics by class"), h("div", { class: "matrix", tabindex: "0", role: "region", "aria-label": "Metrics by class" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Class", "Precision", "Recall", "F1", "Pictures"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, classes.map((one) => line(one.label, one))),
    h("tfoot", {}, line("Macro avg", macro), line("Weighted avg", weighted)))));
}

function notes({ notes: said }) {
  return said.length ? h("section", {}, h("h2", {}, "Notes"), said.map((text) => h("p", { class: "quiet" }, text))) : null;
}

function rest(items, total) {
  return total > items.length && h("li", { class: "quiet" }, `and ${total - items.length} more`);
}

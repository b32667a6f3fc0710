// The report: how accurate a collection is on its own pictures, and what would improve it.

import { call, file, pathOf } from "./api.js";
import { button, count, h, percent } from "./element.js";
import { encoderNote } from "./encoder-note.js";
import { openSupport } from "./evidence.js";
import { picture } from "./picture.js";
import { problem } from "./messages.js";
import { done } from "./undo.js";
import { follow } from "./watch.js";

const SUSPECTS_MOST = 12;

export async function reportView({ collection }, signal) {
  if ((await call("GET", pathOf(collection), { signal })).labels === "many") {
    const { labelReport } = await import("./report-labels.js");
    return { title: "Report", collection, tab: "report", parts: [...labelReport(collection, await read(signal, collection, "report", "labels")), overTime(collection), await encoderNote(collection, signal)] };
  }
  const report = await read(signal, collection, "report");
  const parts = report.accuracy == null
    ? [h("p", { class: "hint" }, "Not enough pictures for a report yet: it needs at least two classes with two pictures each.")]
    : [summary(report), matrix(collection, report, signal)];
  const { advice } = await import("./report-advice.js");
  return {
    title: "Report", collection, tab: "report",
    parts: [first(report), ...parts, suspects(collection, report), wanted(report), ...advice(collection, report), pairs(report), table(report), notes(report), overTime(collection), await encoderNote(collection, signal)],
  };
}

function overTime(collection) {
  return h("p", {}, h("a", { href: `#/c/${collection}/drift` }, "How answers change over time"));
}

/** The three things that help most: labels to check, classes to photograph, pairs to tell apart. */
function first({ suspects: odd, wanted: few, confused_pairs: mixed, duplicates }) {
  const steps = [
    clear(odd.items).length && h("a", { href: "#", onclick: (event) => { event.preventDefault(); document.getElementById("suspects").scrollIntoView(); } }, `Check ${count(clear(odd.items).length, "possible label error")}`),
    duplicates.items.some((one) => one.conflict) && `Keep one class for each of ${count(duplicates.items.filter((one) => one.conflict).length, "picture")} that two classes have`,
    few.items.length && `Add ${few.items[0].more} pictures of ${few.items[0].label}: ${few.items[0].reason}`,
    mixed.items.length && `Add pictures that tell ${mixed.items[0].labels[0]} from ${mixed.items[0].labels[1]}`,
    few.items.length > 1 && `Add ${few.items[1].more} pictures of ${few.items[1].label}: ${few.items[1].reason}`,
  ].filter(Boolean).slice(0, 3);
  return steps.length ? h("section", { class: "panel", "aria-labelledby": "first" }, h("h2", { id: "first" }, "Do this first"), h("ol", { class: "steps" }, steps.map((step) => h("li", {}, step)))) : null;
}

/** Suspects whose margin is at least a quarter of the clearest one's. */
function clear(items) {
  return items.slice(0, SUSPECTS_MOST).filter(({ margin }) => margin <= items[0].margin / 4);
}

async function read(signal, ...place) {
  for (;;) {
    const found = await call("GET", pathOf(...place), { headers: { Prefer: "wait=15" }, signal });
    if (found.judged !== undefined) return found;
    for await (const _ of follow(found.id, signal)); // it is being made
  }
}

function summary({ accuracy, judged, macro_avg: macro, version }) {
  return h("dl", { class: "figures" },
    figure(percent(accuracy), `cross-validated accuracy, ${count(judged, "picture")}`),
    macro && figure(percent(macro.f1), "F1, macro average"), figure(String(version), "collection version"));
}

export function figure(value, caption) {
  return h("div", {}, h("dd", {}, value), h("dt", { class: "quiet" }, caption));
}

// Up to so many classes the matrix is a table whose cells open their pictures; more would be unreadable.
const CELLS_MOST = 30;

function matrix(collection, report, signal) {
  const { labels, counts } = report.confusion;
  return labels.length > CELLS_MOST ? drawnMatrix(collection, signal) : h("section", { "aria-labelledby": "confusions" },
    h("h2", { id: "confusions" }, "Confusions"), h("p", { class: "quiet" }, "Rows are true classes, columns predicted ones. Press a number to see its pictures."), ...cells(collection, report, labels, counts));
}

function cells(collection, { mistakes }, labels, counts) {
  const opened = h("div", { class: "stage", "aria-live": "polite" });
  const cell = (row, column) => {
    const number = counts[row][column];
    if (!number || row === column) return h("td", { class: row === column ? "right" : "quiet" }, number ? String(number) : "");
    return h("td", {}, button(String(number), () => open(labels[row], labels[column]), { class: "small", "aria-label": `${count(number, "picture")} of ${labels[row]} predicted as ${labels[column]}` }));
  };
  const open = (label, named) => {
    const found = (mistakes?.items ?? []).filter((one) => one.label === label && one.named === named);
    opened.replaceChildren(h("h3", {}, `${label}, predicted as ${named}`), h("ul", { class: "cards" }, found.map((one) => suspect(collection, { ...one, looks_like: named }))));
  };
  return [h("div", { class: "matrix", tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "True class"), labels.map((label) => h("th", { scope: "col" }, label)))),
    h("tbody", {}, labels.map((label, row) => h("tr", {}, h("th", { scope: "row" }, label), labels.map((_, column) => cell(row, column))))))), opened];
}

function drawnMatrix(collection, signal) {
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
  const shown = clear(items);
  if (!shown.length) return null;
  return h("section", {}, h("h2", { id: "suspects" }, "Possible label errors"), h("p", { class: "quiet" }, "Most suspicious first: the picture, and examples of the class that it looks like."),
    h("ul", { class: "cards" }, shown.map((one) => suspect(collection, one)), total > shown.length && h("li", { class: "quiet" }, `and ${total - shown.length} less clear ones`)));
}

function suspect(collection, { support_id: id, label, looks_like: other }) {
  const like = h("div", { class: "because" });
  call("GET", pathOf(collection, "classes", other)).then(({ thumbnails }) =>
    like.append(h("ul", {}, thumbnails.slice(0, 3).map((one) => h("li", {}, picture(one, "")))))).catch(() => {});
  return supportCard(collection, id, label, h("p", { class: "quiet" }, `looks like ${other}`), like, fixing(collection, id, `Move to ${other}`, `Moved to ${other}`, { label: other }));
}

/** A card of a support: its picture, the name of its file, and what more is said of it. */
export function supportCard(collection, id, label, ...more) {
  const path = pathOf(collection, "supports", id);
  const name = h("p", { class: "file" });
  call("GET", path).then(({ external_id: file }) => { name.textContent = name.title = file ?? `number ${id}`; }).catch(() => {});
  const open = button(picture(`${path}/thumbnail`, "", { class: "shown" }), () => openSupport(collection, id, label, `An example of ${label}`), { class: "thumb", "aria-label": `Open example of ${label}` });
  return h("li", { class: "answer" }, open, h("div", {}, h("p", { class: "verdict" }, h("strong", {}, label)), name, more));
}

/** A button that changes the labels of a support, and then offers to undo that. */
export function fixing(collection, id, text, said, json) {
  const path = pathOf(collection, "supports", id);
  const place = h("div", { class: "fix" });
  const fix = button(text, async () => {
    try {
      const { label, labels, complete } = await call("GET", path);
      await call("PATCH", path, { json });
      place.replaceChildren(said);
      done(said, async () => {
        await call("PATCH", path, { json: labels ? { labels, complete } : { label } });
        place.replaceChildren(fix);
      });
    } catch (error) {
      place.append(problem(error));
    }
  }, { class: "chip" });
  place.append(fix);
  return place;
}

function table({ classes, macro_avg: macro, weighted_avg: weighted }) {
  const line = (name, one) => one && [name, one.precision, one.recall, one.f1, String(one.judged)];
  return metrics("Metrics by class", ["Class", "Precision", "Recall", "F1", "Pictures"], classes.map((one) => line(one.label, one)), [line("Macro avg", macro), line("Weighted avg", weighted)]);
}

/** A table of shares and texts, each line with its name first. */
export function metrics(title, heads, lines, last = []) {
  const line = (cells) => cells && h("tr", {}, h("th", { scope: "row" }, cells[0]), cells.slice(1).map((cell) => h("td", {}, cell == null ? "–" : cell.toFixed?.(2) ?? cell)));
  return h("section", {}, h("h2", {}, title), h("div", { class: "matrix", tabindex: "0", role: "region", "aria-label": title }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, lines.map(line)), h("tfoot", {}, last.map(line)))));
}

export function notes({ notes: said }) {
  return said.length ? h("section", {}, h("h2", {}, "Notes"), said.map((text) => h("p", { class: "quiet" }, text))) : null;
}

export function rest(items, total) {
  return total > items.length && h("li", { class: "quiet" }, `and ${total - items.length} more`);
}

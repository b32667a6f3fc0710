// How the answers of a collection change over time: charts, and the numbers behind them.

import { call, pathOf } from "./api.js";
import { count, h, percent } from "./element.js";
import { figure } from "./view-report.js";

const WIDE = 600, HIGH = 120;
const CHARTS = [
  ["unknown_share", "Not recognised", "The share of pictures without a known label."],
  ["novel_share", "Unlike the examples", "The share of pictures that resemble no class."],
  ["estimated_accuracy", "Estimated accuracy", "The mean probability of the labels given: right as far as the calibration still holds."],
  ["label_distance", "Labels against the examples", "How far the mix of labels is from that of the examples: 0 the same, 100 % nothing in common."],
];

export async function driftView({ collection }, signal) {
  const found = await call("GET", pathOf(collection, "drift"), { signal });
  const { whole, periods } = found;
  const parts = periods.length ? [
    h("dl", { class: "figures" }, figure(count(whole.answers, "answer"), "in 30 days"),
      whole.unknown_share != null && figure(percent(whole.unknown_share), "not recognised"),
      whole.estimated_accuracy != null && figure(percent(whole.estimated_accuracy), "estimated accuracy of labels"),
      whole.corrected_accuracy && figure(`${percent(whole.corrected_accuracy.low)} – ${percent(whole.corrected_accuracy.high)}`, `corrected by ${count(whole.reviewed, "review")}`)),
    ...CHARTS.map((one) => chart(periods, ...one)), table(periods),
  ] : [h("p", { class: "hint" }, "Nothing was classified here in the last 30 days.")];
  return { title: "Over time", collection, tab: "report", parts };
}

/** One value a day, 0 to 100 %, as a line with points; the table has the numbers. */
function chart(periods, name, title, help) {
  const known = periods.filter((one) => one[name] != null);
  if (!known.length) return null;
  const [first, last] = [periods[0], periods.at(-1)].map(({ begin }) => Date.parse(begin));
  const points = known.map((one) => [
    last > first ? 8 + (WIDE - 16) * (Date.parse(one.begin) - first) / (last - first) : WIDE / 2, height(one[name]),
  ]);
  const drawing = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "chart", role: "img", "aria-label": `${title}: from ${percent(known[0][name])} to ${percent(known.at(-1)[name])}` },
    ...[0, 0.5, 1].map((share) => shape("line", { x1: 0, x2: WIDE, y1: height(share), y2: height(share) })),
    shape("polyline", { points: points.map((one) => one.map((at) => at.toFixed(1)).join()).join(" ") }),
    ...points.map(([cx, cy]) => shape("circle", { cx, cy, r: 3 })));
  return h("section", { class: "panel" }, h("h2", {}, `${title}: ${percent(known.at(-1)[name])}`), h("p", { class: "quiet" }, help), drawing,
    h("p", { class: "quiet" }, `${day(periods[0])} to ${day(periods.at(-1))}; lines at 0, 50 and 100 %`));
}

function table(periods) {
  const cells = (one) => [day(one), one.answers, ...CHARTS.map(([name]) => one[name] == null ? "" : percent(one[name])), one.reviewed];
  return h("section", { class: "panel" }, h("h2", {}, "Numbers"), h("div", { class: "matrix", tabindex: "0", role: "region", "aria-label": "Numbers" },
    h("table", {}, h("thead", {}, h("tr", {}, ["Day (UTC)", "Answers", ...CHARTS.map(([, title]) => title), "Reviewed"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, [...periods].reverse().map((one) => h("tr", {}, cells(one).map((text, n) => n ? h("td", {}, String(text)) : h("th", { scope: "row" }, h("time", {}, text)))))))));
}

function height(share) {
  return HIGH - 8 - (HIGH - 16) * share;
}

function day({ begin }) {
  return begin.slice(0, 10);
}

function shape(tag, properties, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

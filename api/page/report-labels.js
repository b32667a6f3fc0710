// The report where a picture may have several labels: how well each is known, and which pictures to check.

import { call, pathOf } from "./api.js";
import { count, h, percent } from "./element.js";
import { figure, fixing, metrics, notes, rest, supportCard } from "./view-report.js";

const SUSPECTS_MOST = 12;

/** The parts of the report. */
export function labelReport(collection, { average, judged, version, labels, suspects, together, notes: said }) {
  return [
    average ? h("dl", { class: "figures" }, figure(average.map == null ? "–" : percent(average.map), `mean average precision, ${count(judged, "picture")}`),
      figure(percent(average.micro_f1), "F1, all labels of all pictures"), average.macro_f1 != null && figure(percent(average.macro_f1), "F1, mean of the labels"),
      figure(percent(average.ece), "calibration error"), figure(String(version), "collection version"))
      : h("p", { class: "hint" }, "Not enough pictures for a report yet."),
    toCheck(collection, suspects),
    labels.length > 0 && metrics("Metrics by label", ["Label", "Precision", "Recall", "F1", "Average precision", "Yes from", "Pictures"],
      labels.map((one) => [one.label, one.precision, one.recall, one.f1, one.average_precision, one.threshold, String(one.supports)])),
    together.items.length > 0 && h("section", {}, h("h2", {}, "Often together"),
      h("ul", {}, together.items.slice(0, SUSPECTS_MOST).map((one) => h("li", {}, `${one.labels.join(" and ")}: ${count(one.supports, "picture")}`)), rest(together.items.slice(0, SUSPECTS_MOST), together.total))),
    notes({ notes: said }),
  ];
}

function toCheck(collection, { items, total }) {
  const shown = items.slice(0, SUSPECTS_MOST);
  return shown.length > 0 && h("section", {}, h("h2", { id: "suspects" }, "Labels to check"),
    h("ul", { class: "cards" }, shown.map(({ support_id: id, label, problem, probability }) => {
      const missing = problem === "missing";
      return supportCard(collection, id, label, h("p", { class: "quiet" }, `${missing ? "may be missing" : "may be wrong"}: ${percent(probability)} by all other pictures`),
        missing ? fixing(collection, id, `Add ${label}`, `${label} added`, { add: [label] }) : fixing(collection, id, `Remove ${label}`, `${label} removed`, { remove: [label] }));
    }), rest(shown, total)));
}

// What a report says beyond its figures: examples that hurt, what more are worth, and what can be left to the machine.

import { h, percent } from "./element.js";
import { rest, supportCard } from "./view-report.js";

const SHOWN = 6;

/** The parts of the advice. */
export function advice(collection, { accuracy_interval: span, harmful, learning_curve: curve, foretold, error_budget: budget }) {
  const bad = harmful.items.slice(0, SHOWN), worth = curve?.worth.filter(({ points }) => points >= 1).slice(0, SHOWN) ?? [];
  return [
    bad.length > 0 && section("Examples that hurt the others", h("ul", { class: "cards" }, bad.map(({ support_id: id, label, fixed, broken }) =>
      supportCard(collection, id, label, h("p", { class: "quiet" }, `without it ${fixed} become right, ${broken} wrong`))), rest(bad, harmful.total))),
    curve && section("More examples", h("p", { class: "quiet" }, `Accuracy by examples of each class: ${curve.points.map((one) => `${one.examples}: ${percent(one.accuracy)}`).join(", ")}`),
      h("ul", {}, worth.map((one) => h("li", {}, h("strong", {}, `${one.more} more of ${one.label}`), `: about +${one.points.toFixed(0)} points (${one.low.toFixed(0)} to ${one.high.toFixed(0)})`)))),
    section("Left to people", span && h("p", { class: "quiet" }, `The accuracy is ${percent(span[0])} to ${percent(span[1])}, at 95 %.`), budget && h("p", {}, budget.note),
      h("ul", {}, foretold.map((one) => h("li", {}, `at most ${percent(one.max_error)} wrong by machine: ${percent(one.to_people)}`)))),
  ];
}

function section(title, ...parts) {
  return h("section", {}, h("h2", {}, title), parts);
}

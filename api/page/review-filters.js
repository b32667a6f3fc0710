// Which answers are reviewed: filters that stand in the address, so that a reload or a link finds them again.

import { h } from "./element.js";

const DECISIONS = [["", "Any decision"], ["unknown", "Not recognised"], ["ambiguous", "Not sure"], ["known", "Recognised"], ["none", "None of the labels"]];
const REVIEWED = [["", "Reviewed or not"], ["false", "Not reviewed"], ["true", "Reviewed"]];
const ORDERS = [["", "As submitted"], ["value", "Most useful first"], ["confidence", "Least sure first"], ["name", "By file name"]];
const NAMES = ["decision", "label", "reviewed", "min_confidence", "max_confidence", "path", "order"];

/** The part of an address that the API understands as a query. */
export function queryOf(asked) {
  return Object.fromEntries(NAMES.filter((name) => asked[name]).map((name) => [name, asked[name]]));
}

/**
 * @param {Record<string, string>} asked the filters of the address
 * @param {(query: Record<string, string>) => void} onchange
 * @param {boolean} several whether a picture may have several labels
 */
export function reviewFilters(asked, onchange, several = false) {
  const [decisions, noun] = several ? [DECISIONS, "label"] : [DECISIONS.slice(0, -1), "class"];
  const form = h("form", { class: "filters", "aria-label": "Filters" });
  const choice = (name, label, options) => h("select", { name, "aria-label": label },
    options.map(([value, text]) => h("option", { value, selected: asked[name] === value }, text)));
  const share = (name, label, placeholder) => h("input", {
    name, "aria-label": label, type: "number", min: 0, max: 100, step: 1, placeholder, inputmode: "numeric",
    value: asked[name] ? Math.round(Number(asked[name]) * 100) : "",
  });
  const label = choice("label", several ? "Label" : "Class", [["", `Any ${noun}`], ...(asked.label ? [[asked.label, asked.label]] : [])]);
  form.append(choice("decision", "Decision", decisions), label, choice("reviewed", "Reviewed", REVIEWED),
    h("span", { class: "row" }, share("min_confidence", "Confidence from, in percent", "from %"), "–", share("max_confidence", "Confidence to, in percent", "to %")),
    h("input", { name: "path", type: "search", "aria-label": "Text in the file name", placeholder: "in the file name", value: asked.path ?? "", maxlength: 1024 }),
    choice("order", "Order", ORDERS));
  form.read = () => {
    const values = Object.fromEntries(new FormData(form));
    for (const name of ["min_confidence", "max_confidence"]) if (values[name]) values[name] = String(Number(values[name]) / 100);
    return queryOf(values);
  };
  form.addEventListener("change", () => {
    if (!form.reportValidity()) return;
    const query = form.read();
    const [path] = location.hash.split("?");
    const text = new URLSearchParams(query).toString();
    history.replaceState(null, "", `${path}${text && `?${text}`}`);
    onchange(query);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  /** Offer the classes that the answers have, with their counts. */
  form.count = ({ final_labels: labels, decisions }) => {
    const chosen = label.value;
    label.replaceChildren(h("option", { value: "" }, `Any ${noun}`), ...Object.entries(labels)
      .map(([name, number]) => h("option", { value: name, selected: name === chosen }, `${name} (${number})`)));
    if (chosen && !(chosen in labels)) label.append(h("option", { value: chosen, selected: true }, chosen));
    for (const option of form.elements.decision.options) {
      const [, text] = DECISIONS.find(([value]) => value === option.value);
      option.textContent = option.value ? `${text} (${decisions[option.value] ?? 0})` : text;
    }
  };
  return form;
}

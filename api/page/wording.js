// How answers are put into words, the same everywhere.

import { percent } from "./element.js";
import { specific } from "./verdicts.js";

export const DECISIONS = { known: "recognised", ambiguous: "not sure", unknown: "not recognised", none: "none of the labels" };

/** The file name of an answer's picture, or its number. */
export function nameOf({ custom_id: id, item }) {
  return id ?? `picture ${item + 1}`;
}

/** The label of an answer as it stands, and how it came about. */
export function saying(result) {
  if (Array.isArray(result.final_labels)) return sayingLabels(result);
  const { decision, reviewed, final_label: final, label, confidence } = result;
  const none = reviewed && !result.review?.accepted ? "None of the classes" : "Not recognised";
  const text = (reviewed ? final : label) ?? none;
  if (reviewed) return { label: text, note: `✓ ${reviewNote(result)}` };
  return { label: text, note: label == null ? "no class fits" : `${percent(confidence)}, ${DECISIONS[decision]}` };
}

function sayingLabels(result) {
  const { decision, reviewed, confidence } = result;
  const labels = specific(result.final_labels);
  if (reviewed) return { label: labels.join(", ") || "None of the labels", note: `✓ ${reviewNote(result)}` };
  if (decision === "unknown") return { label: "Not recognised", note: "no label fits" };
  if (decision === "none") return { label: "None of the labels", note: "like the examples" };
  const unsure = result.labels.map((one) => `? ${one.label}`);
  return { label: (labels.length ? labels : unsure).join(", "), note: `${percent(confidence)}, ${DECISIONS[decision]}` };
}

/** "labelled by Ann": who said what of an answer. */
export function reviewNote({ review }) {
  const { accepted, label, labels, by } = review ?? {};
  const what = accepted ? "accepted" : (labels ? !labels.length : label === null) ? "rejected" : "labelled";
  return `${what}${!by || by === "local" ? "" : ` by ${by}`}`;
}

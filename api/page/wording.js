// How answers are put into words, the same everywhere.

import { percent } from "./element.js";

export const DECISIONS = { known: "recognised", ambiguous: "not sure", unknown: "not recognised" };

/** The file name of an answer's picture, or its number. */
export function nameOf({ custom_id: id, item }) {
  return id ?? `picture ${item + 1}`;
}

/** The label of an answer as it stands, and how it came about. */
export function saying(result) {
  const { decision, reviewed, final_label: final, label, confidence } = result;
  const none = reviewed && !result.review?.accepted ? "None of the classes" : "Not recognised";
  const text = (reviewed ? final : label) ?? none;
  if (reviewed) return { label: text, note: `✓ ${reviewNote(result)}` };
  return { label: text, note: label == null ? "no class fits" : `${percent(confidence)}, ${DECISIONS[decision]}` };
}

/** "labelled by Ann": who said what of an answer. */
export function reviewNote({ review }) {
  const { accepted, label, by } = review ?? {};
  const what = accepted ? "accepted" : label === null ? "rejected" : "labelled";
  return `${what}${!by || by === "local" ? "" : ` by ${by}`}`;
}

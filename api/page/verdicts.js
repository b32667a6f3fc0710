// What a verdict makes of an answer, of one label or of several.

/** Whether an answer is one of several labels. */
export function isMany(result) {
  return Array.isArray(result.final_labels);
}

/** The labels that an answer gave with certainty. */
export function given({ labels }) {
  return (labels ?? []).filter(({ decision }) => decision === "yes").map(({ label }) => label);
}

/** The verdict that gives answers a label, with all that it implies. */
export function adding(label) {
  return { add: withParents(label) };
}

/** The verdict that takes a label from answers, with those that imply it. */
export function removing(label, results) {
  const found = results.flatMap((one) => one.final_labels.filter((other) => isWithin(other, label)));
  return { remove: [...new Set([label, ...found])] };
}

/** The fields that a verdict changes in an answer of several labels. */
export function applied(result, { labels, add = [], remove = [], accepted = false }) {
  const left = new Set(result.final_labels.filter((one) => !remove.includes(one)));
  const final = accepted ? given(result) : labels ?? [...left, ...add.filter((one) => !left.has(one))];
  return { reviewed: true, final_labels: [...final].sort(), review: { labels: final, accepted, by: "local" } };
}

/** The verdict that a review was, to give it once more. */
export function verdictOf({ accepted, labels, label }) {
  if (accepted) return { accepted: true };
  return labels ? { labels } : { label };
}

/** Labels without those that others of them imply: `animal` where there is `animal/dog`. */
export function specific(labels) {
  return labels.filter((label) => !labels.some((other) => other !== label && isWithin(other, label)));
}

/** A label with all that it implies: what is `animal/dog` is also `animal`. */
function withParents(label) {
  return label.split("/").map((_, n, parts) => parts.slice(0, n + 1).join("/"));
}

// Whether a label is another one, or implies it.
function isWithin(label, other) {
  return label === other || label.startsWith(`${other}/`);
}

// One result of several labels: a chip for each, the examples behind it, and a way to correct it.

import { review, textOf, unreview } from "./correct.js";
import { behind, chipText, chips, NONE, whyOf } from "./chips.js";
import { button, h } from "./element.js";
import { labelForm } from "./label-field.js";
import { itemProblem, problem } from "./messages.js";
import { picture } from "./picture.js";
import { changed, done } from "./undo.js";
import { adding, applied, given, removing, verdictOf } from "./verdicts.js";

const WORDS = { known: "recognised", ambiguous: "not sure", unknown: "not recognised", none: "none of the labels" };

/** A card, as `answer` makes one for a single label. */
export function labelsAnswer(job, result, { list, onpick }) {
  const name = result.custom_id ?? `picture ${result.item + 1}`;
  const file = h("p", { class: "file" }, name);
  if (result.status === "failed") {
    return h("li", { class: "answer failed" }, h("div", { class: "shown none", "aria-hidden": "true" }, "?"), h("div", {}, file, itemProblem(result.error)));
  }
  const shown = picture(`/v1/jobs/${job.id}/items/${result.item}/thumbnail`, name, { class: "shown" });
  if (job.kind !== "classify") {
    return h("li", { class: "answer" }, shown, h("div", {}, chips(result), file, result.duplicate_of != null && h("p", { class: "quiet" }, "already there")));
  }
  const badge = h("span", { class: "badge" });
  const labels = h("ul", { class: "chips", "aria-label": "Labels" });
  const why = h("div", { class: "why" });
  const wrong = h("div");
  const fix = h("div", { class: "fix" });
  const pick = h("input", { type: "checkbox", "aria-label": `Select ${name}`, onchange: onpick });
  const card = h("li", { class: "answer labels" }, h("label", { class: "pick" }, pick, shown), h("div", {}, h("p", {}, badge), labels, file, why, fix, wrong));
  let open = null; // the label whose examples are shown

  const give = async (verdict) => {
    wrong.replaceChildren();
    try {
      await giveAll(job, [card], verdict);
    } catch (error) {
      wrong.replaceChildren(problem(error));
    }
  };
  const explain = (entry) => {
    open = entry.label;
    for (const chip of labels.querySelectorAll("button")) chip.setAttribute("aria-expanded", String(chip.dataset.label === open));
    const has = result.final_labels.includes(entry.label);
    why.replaceChildren(...behind(job, entry, result),
      h("div", {}, button(has ? `Remove ${entry.label}` : `Add ${entry.label}`, () => give(has ? removing(entry.label, [result]) : adding(entry.label)), { class: "chip" })));
  };
  const show = () => {
    const { decision, reviewed } = result;
    const held = card.contains(document.activeElement);
    const entries = entriesOf(result);
    card.className = `answer labels ${decision === "none" ? "" : decision}${reviewed ? " fixed" : ""}`;
    badge.textContent = reviewed ? (result.review?.accepted ? "accepted" : "reviewed") : WORDS[decision];
    labels.replaceChildren(...entries.map((entry) => h("li", {}, button(chipText(entry), () => explain(entry), {
      class: `chip ${entry.decision}`, "data-label": entry.label, "aria-expanded": "false", onfocus: () => explain(entry),
    }))), ...(entries.length ? [] : [h("li", { class: "quiet" }, decision === "unknown" && !reviewed ? "Unlike all examples" : NONE)]));
    const again = entries.find(({ label }) => label === open);
    if (again) explain(again);
    else why.replaceChildren(...whyOf(job, result));
    fix.replaceChildren(...choices(result, give, list));
    if (held && !card.contains(document.activeElement)) (labels.querySelector(`[aria-expanded="true"]`) ?? fix.querySelector("button"))?.focus();
  };
  show();
  return Object.assign(card, { pick, result, show, add: (cards, label) => giveAll(job, cards, adding(label)) });
}

// Give the answers of cards a verdict, and offer to undo that.
async function giveAll(job, cards, verdict) {
  const before = cards.map(({ result: { reviewed, final_labels, review: made } }) => ({ reviewed, final_labels, review: made }));
  const put = (card, fields) => { Object.assign(card.result, fields); card.show(); };
  await review(job, cards.map(({ result }) => result), verdict);
  for (const card of cards) put(card, applied(card.result, verdict));
  done(textOf(cards.length, verdict), async () => {
    for (const [n, card] of cards.entries()) {
      if (before[n].reviewed) await review(job, [card.result], verdictOf(before[n].review));
      else await unreview(job, [card.result]);
      put(card, before[n]);
    }
  });
  changed();
}

// The labels of an answer as it stands: those of a review, or else the certain ones and the unsure ones.
function entriesOf(result) {
  const { labels = [], final_labels: final, reviewed } = result;
  const known = new Map([...result.candidates ?? [], ...labels].map((one) => [one.label, one]));
  if (!reviewed) return labels;
  return final.map((label) => ({ ...known.get(label), label, decision: "yes" }));
}

function choices(result, give, list) {
  const other = button("Add label…", () => {
    const form = labelForm({ name: "Label to add", action: "Add", list, onlabel: (label) => give(adding(label)) });
    other.replaceWith(form);
    form.field.focus();
  }, { class: "chip" });
  const changedBy = result.reviewed && !result.review?.accepted;
  return [other,
    result.final_labels.length > 0 && button(NONE, () => give({ labels: [] }), { class: "chip" }),
    (!result.reviewed || (changedBy && given(result).join() !== result.final_labels.join())) && button(changedBy ? "Accept the answer" : "Accept", () => give({ accepted: true }), { class: "chip", title: "The answer is right as it stands" }),
  ].filter(Boolean);
}

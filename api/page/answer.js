// One result: label, confidence, the examples behind it, and a way to correct it.

import { button, h, percent } from "./element.js";
import { correct } from "./correct.js";
import { labelForm } from "./label-field.js";
import { picture } from "./picture.js";
import { itemProblem, problem } from "./messages.js";

const WORDS = { known: "recognised", ambiguous: "not sure" };
const REASONS = 4;

/**
 * @param {any} job
 * @param {any} result
 * @param {{list: HTMLDataListElement, onpick?: () => void}} options
 */
export function answer(job, result, { list, onpick }) {
  const name = result.custom_id ?? `picture ${result.item + 1}`;
  if (result.status === "failed") {
    return h("li", { class: "answer failed" }, h("div", { class: "shown none", "aria-hidden": "true" }, "?"),
      h("div", {}, h("p", { class: "file" }, name), itemProblem(result.error)));
  }
  const shown = picture(`/v1/jobs/${job.id}/items/${result.item}/thumbnail`, name, { class: "shown" });
  if (job.kind !== "classify") {
    return h("li", { class: "answer" }, shown, h("div", {}, h("p", { class: "verdict" }, result.label ?? "done"), h("p", { class: "file" }, name),
      result.duplicate_of === result.support_id && h("p", { class: "quiet" }, "already there")));
  }
  const pick = h("input", { type: "checkbox", "aria-label": `Select ${name}`, onchange: onpick });
  const fix = h("div", { class: "fix" });
  const card = h("li", { class: `answer ${result.decision}` }, h("label", { class: "pick" }, pick, shown),
    h("div", {},
      h("p", { class: "verdict" },
        h("strong", {}, result.label ?? "Not recognised"), " ",
        result.label != null && h("span", { class: "sure" }, percent(result.confidence)), " ",
        WORDS[result.decision] && h("span", { class: "badge" }, WORDS[result.decision])),
      h("p", { class: "file" }, name), because(result), fix));
  card.pick = pick;
  card.result = result;
  fix.append(...choices(result, async (label) => {
    try {
      const failed = await correct(job, [result], label);
      if (failed.length) throw { title: failed[0].error.title, message: failed[0].error.detail };
      fixed(card, label);
    } catch (error) {
      fix.append(problem(error));
    }
  }, list));
  return card;
}

/** Show that a picture has been added to a class. */
export function fixed(card, label) {
  card.classList.add("fixed");
  card.pick.checked = false;
  card.pick.disabled = true;
  const note = h("p", { class: "fix", tabindex: "-1" }, `Added to ${label}`);
  const held = card.contains(document.activeElement);
  card.querySelector(".fix").replaceWith(note);
  if (held) note.focus();
}

function because({ label, explanation, neighbours }) {
  const reasons = explanation?.supports?.length && label != null ? explanation.supports : neighbours ?? [];
  if (!reasons.length) return h("p", { class: "quiet" }, "No examples to compare with yet.");
  return h("div", { class: "because" },
    h("span", { class: "quiet" }, label == null ? "closest" : "based on"),
    h("ul", {}, reasons.slice(0, REASONS).map((one) => {
      const title = `${one.label}, similarity ${one.similarity.toFixed(2)}`;
      return h("li", {}, picture(one.thumbnail, title, { title }), h("span", {}, one.similarity.toFixed(2)));
    })));
}

// The best guess is offered too: confirming it adds the picture to that class.
function choices(result, onlabel, list) {
  const guesses = (result.candidates ?? []).slice(0, 3).map(({ label }) => label);
  const other = button(guesses.length ? "Other…" : "Add label…", () => {
    const form = labelForm({ name: "Correct label", action: "Save", list, onlabel });
    other.replaceWith(form);
    form.field.focus();
  }, { class: "chip" });
  return [
    guesses.length > 0 && h("span", { class: "quiet" }, "Correct label:"),
    ...guesses.map((label) => button(label, () => onlabel(label), { class: "chip", title: `Add this picture to ${label}` })),
    other,
  ].filter(Boolean);
}

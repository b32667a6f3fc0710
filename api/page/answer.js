// One result: label, confidence, the examples behind it, and a way to correct it.

import { button, h, percent } from "./element.js";
import { correct, unreview } from "./correct.js";
import { evidence } from "./evidence.js";
import { labelForm } from "./label-field.js";
import { picture } from "./picture.js";
import { itemProblem, problem } from "./messages.js";

const WORDS = { known: "recognised", ambiguous: "not sure" };

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
  const verdict = h("strong");
  const sure = h("span", { class: "sure" }, result.label != null && percent(result.confidence));
  const badge = h("span", { class: "badge", hidden: !WORDS[result.decision] }, WORDS[result.decision]);
  const card = h("li", { class: `answer ${result.decision}` }, h("label", { class: "pick" }, pick, shown),
    h("div", {},
      h("p", { class: "verdict" },
        verdict, " ",
        sure, " ", badge),
      h("p", { class: "file" }, name), evidence(job.collection, result), fix));
  card.pick = pick;
  card.result = result;
  const attempt = async (verdict, label, note) => {
    for (const old of fix.querySelectorAll(".problem")) old.remove();
    try {
      const [failed] = await correct(job, [result], verdict, card.unfixed);
      if (failed) throw { title: failed.error.title, message: failed.error.detail };
      card.fixed(label, note);
    } catch (error) {
      fix.append(problem(error));
    }
  };
  fix.append(...choices(result, {
    list,
    onlabel: (label) => attempt({ label }, label, `Added to ${label}`),
    onaccept: () => attempt({ accepted: true }, result.label, "Accepted"),
    onnone: () => attempt({ label: null }, null, "None of the classes"),
  }));
  const undo = button("Undo review", () => attemptUndo(), { class: "small" });
  const attemptUndo = () => unreview(job, [result]).then(card.unfixed, (error) => fix.append(problem(error)));
  const said = h("span", { tabindex: "-1" });
  const note = h("p", { class: "fix row" }, said, undo);
  card.fixed = (label, text) => {
    const held = card.contains(document.activeElement);
    verdict.textContent = label ?? (text === "Accepted" ? "Not recognised" : "None of the classes");
    said.textContent = text;
    sure.hidden = badge.hidden = label !== result.label || !WORDS[result.decision];
    card.classList.add("fixed");
    pick.checked = false;
    pick.disabled = true;
    fix.replaceWith(note);
    if (held) said.focus();
  };
  card.unfixed = () => {
    verdict.textContent = result.label ?? "Not recognised";
    sure.hidden = badge.hidden = !WORDS[result.decision];
    card.classList.remove("fixed");
    pick.disabled = false;
    note.replaceWith(fix);
  };
  card.unfixed();
  if (result.reviewed) card.fixed(result.final_label, reviewNote(result.review));
  return card;
}

function reviewNote({ label, accepted, by }) {
  const who = by === "local" ? "" : ` by ${by}`;
  if (accepted) return `Accepted${who}`;
  return label === null ? `None of the classes${who}` : `Labelled ${label}${who}`;
}

// The best guess is offered too: it adds the picture to that class. Accepting only notes that the answer is right.
function choices(result, { list, onlabel, onaccept, onnone }) {
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
    result.label != null && button("None of these", onnone, { class: "chip" }),
    button("Accept", onaccept, { class: "chip", title: "The answer is right; add no example" }),
  ].filter(Boolean);
}

// The panel that enrols dropped pictures, labelled by a field or by their folders.

import { answers } from "./answers.js";
import { call, page, pathOf } from "./api.js";
import { dropZone } from "./drop.js";
import { button, count, foldingTitle, h } from "./element.js";
import { byTopFolder, clash } from "./folders.js";
import { labelForm, labelList } from "./label-field.js";
import { jobBar, stateOf } from "./job-bar.js";
import { submit } from "./submit.js";
import { complain, problem, say } from "./messages.js";
import { changed } from "./undo.js";
import { isOver } from "./watch.js";

/**
 * @param {string} collection
 * @param {AbortSignal} signal
 * @param {((list: any) => any) | false} [makeSeveral] what makes the field where a picture may have several labels
 */
export function teach(collection, signal, makeSeveral = false) {
  const list = labelList(collection, signal);
  const several = makeSeveral && makeSeveral(list);
  const stage = h("div", { class: "stage" });
  const field = several?.field ?? h("input", { maxlength: 128, id: "label", list: list.id, autocomplete: "off", placeholder: "e.g. mug" });
  const zone = dropZone({
    name: "Examples",
    text: several?.text ?? "Drop pictures of one class here",
    hint: several?.hint ?? "Or drop a folder with one subfolder per class; the subfolder's name becomes the label.",
    onpictures: (pictures) => begin(pictures),
  });
  const begin = (pictures) => {
    const given = several ? several.given() : field.value.trim();
    const two = given ? null : clash(pictures);
    if (two) choose(pictures, two);
    else label(pictures.map((one) => ({ ...one, label: given || one.folder })));
  };
  const label = (pictures) => {
    const named = several ? several.named(pictures) : pictures;
    if (several && !named.every(several.isNamed)) stage.replaceChildren(...several.ask(pictures.length, () => begin(pictures), () => stage.replaceChildren()));
    else if (several || named.every(({ label }) => label)) enrol(named);
    else askFor(named);
  };
  const choose = (pictures, { label: shared, folders }) => {
    const byTop = byTopFolder(pictures);
    const tops = [...new Set(byTop.map((one) => one.label).filter(Boolean))];
    const shown = tops.slice(0, 3).join(", ") + (tops.length > 3 ? ", …" : "");
    stage.replaceChildren(
      h("p", { class: "lead" }, `Both folders ${folders.join(" and ")} would become the class ${shared}.`),
      h("div", { class: "row" },
        button(`Use the top folders: ${shown}`, () => label(byTop)),
        button("Use the nearest folders", () => label(pictures.map((one) => ({ ...one, label: one.folder })))),
        button("Discard", () => stage.replaceChildren(), { class: "small" })));
    say("Choose which folders name the classes");
  };
  const askFor = (pictures) => {
    const nameless = pictures.filter(({ label }) => !label).length;
    const form = labelForm({
      name: "Label for these pictures", action: "Add", list, any: true,
      onlabel: (label) => enrol(pictures.map((one) => ({ ...one, label: one.label || label }))),
    });
    stage.replaceChildren(h("p", { class: "lead" }, `Which class ${nameless === 1 ? "is this picture" : `are these ${count(nameless, "picture")}`}?`), form,
      button("Discard", () => stage.replaceChildren(), { class: "small" }));
    form.field.focus();
    say("Enter a label for these pictures");
  };
  const enrol = async (pictures) => {
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
    const labels = new Set(pictures.map(({ label }) => label));
    const what = several ? several.what(pictures) : labels.size === 1 ? `${count(pictures.length, "example")} of ${[...labels][0]}` : `${count(pictures.length, "example")} of ${count(labels.size, "class", "classes")}`;
    stage.replaceChildren(h("p", {}, `Uploading ${what}`), bar);
    try {
      const job = await submit(collection, "enroll", pictures, { onsent: (share) => (bar.value = share) });
      follow(job, what);
    } catch (error) {
      if (signal.aborted) complain(error);
      else stage.replaceChildren(problem(error, () => enrol(pictures)));
    }
  };
  const follow = (job, what) => {
    const rest = h("div");
    let ended = false;
    stage.replaceChildren(h("p", {}, what), jobBar(job, { signal, onchange: (now) => {
      if (!isOver(now) || ended) return;
      ended = true;
      changed();
      say(`Added ${what}. ${stateOf(now)}`);
      if (several) several.clear();
      else field.value = "";
      if (now.progress.failed) rest.replaceChildren(answers(now, { signal, filter: "failed" }));
      else if (several) several.outcome(now, what, signal).then((parts) => stage.replaceChildren(...parts));
      else outcome(now, what);
    } }), rest);
  };
  // Pictures that the collection had already: in the same class, or in another one, from which they can be moved.
  const outcome = async (job, what) => {
    const shown = h("p", { class: "ok" }, `Added ${what}`);
    stage.replaceChildren(shown);
    const { items } = await page(job.links.results, { limit: 1000 }, signal).catch(() => ({ items: [] }));
    const there = items.filter((one) => one.status === "done" && one.duplicate_of === one.support_id).length;
    const elsewhere = items.filter((one) => one.duplicate_of != null && one.duplicate_of !== one.support_id);
    if (there) shown.textContent = there === items.length ? `Already there: ${what}` : `Added ${what}; ${there} of them were already there`;
    if (!elsewhere.length) return;
    const names = [...new Set(elsewhere.map((one) => one.duplicate_label))].join(", ");
    const move = button("Move here", async () => {
      try {
        for (const one of elsewhere) await call("PATCH", pathOf(collection, "supports", one.duplicate_of), { json: { label: one.label } });
        moved.replaceChildren(`Moved ${count(elsewhere.length, "picture")} here`);
        changed();
      } catch (error) {
        moved.append(problem(error));
      }
    }, { class: "small" });
    const moved = h("p", {}, `${count(elsewhere.length, "picture")} also in ${names} `, move);
    stage.append(moved);
  };
  const body = h("div", { class: "fold" }, several?.element ?? h("div", { class: "field" }, h("label", { for: "label" }, "Label"), field), zone);
  const title = foldingTitle("teach-title", "Add examples", body);
  const panel = h("section", { class: "panel", "aria-labelledby": "teach-title" }, title, body, stage, list);
  panel.fold = () => title.fold(true);
  return panel;
}

// The panel that classifies dropped pictures.

import { answers, reviewLink } from "./answers.js";
import { dropZone } from "./drop.js";
import { count, foldingTitle, h } from "./element.js";
import { jobBar } from "./job-bar.js";
import { submit } from "./submit.js";
import { complain, problem, say } from "./messages.js";
import { isOver } from "./watch.js";

/**
 * @param {string} collection
 * @param {{signal: AbortSignal, place: HTMLElement, onanswers: () => void}} options where the answers go, and what then folds away
 */
export function ask(collection, { signal, place, onanswers }) {
  const stage = h("div", { class: "stage" });
  const classify = async (pictures) => {
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
    stage.replaceChildren(h("p", {}, `Uploading ${count(pictures.length, "picture")}`), bar);
    try {
      show(await submit(collection, "classify", pictures, { onsent: (share) => (bar.value = share) }));
    } catch (error) {
      if (signal.aborted) complain(error);
      else stage.replaceChildren(problem(error, () => classify(pictures)));
    }
  };
  const show = (job) => {
    let shown = null;
    let ended = false;
    stage.replaceChildren(jobBar(job, { signal, onchange: (now) => {
      if (ended || (shown && !isOver(now))) return;
      ended = isOver(now);
      if (shown) shown.refresh();
      else if (now.progress.done + now.progress.failed || ended) {
        shown = answers(now, { signal });
        place.replaceChildren(h("div", { class: "row spread" }, h("h2", { tabindex: "-1" }, "Results"), h("div", { class: "row" }, h("a", { href: `#/jobs/${job.id}` }, "Open job"), reviewLink(job, "Review"))), shown);
        title.fold(true); // the answers are what counts now
        onanswers();
        if (isIdle(panel)) place.querySelector("h2").focus({ preventScroll: true });
        place.scrollIntoView({ block: "nearest" });
        say(`${count(now.progress.done, "picture")} classified`);
      }
    } }));
  };
  const body = h("div", { class: "fold" }, dropZone({ name: "Classify", text: "Drop pictures to classify here", hint: "One or thousands. Each result shows the examples behind it.", onpictures: classify }));
  const title = foldingTitle("ask-title", "Classify pictures", body);
  const panel = h("section", { class: "panel", "aria-labelledby": "ask-title" },
    title, body, stage);
  return panel;
}

// do not take the focus from a user who has moved on
function isIdle(panel) {
  return document.activeElement === document.body || panel.contains(document.activeElement);
}

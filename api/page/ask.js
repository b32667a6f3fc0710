// Asking: pictures are dropped, and named.

import { answers } from "./answers.js";
import { dropZone } from "./drop.js";
import { count, h } from "./element.js";
import { jobBar } from "./job-bar.js";
import { submit } from "./submit.js";
import { complain, problem, say } from "./tell.js";
import { isOver } from "./watch.js";

/**
 * @param {string} collection
 * @param {{signal: AbortSignal, place: HTMLElement}} options where the answers go
 */
export function ask(collection, { signal, place }) {
  const stage = h("div", { class: "stage" });
  const classify = async (pictures) => {
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Sending" });
    stage.replaceChildren(h("p", {}, `Sending ${count(pictures.length, "picture")}`), bar);
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
        place.replaceChildren(h("div", { class: "row spread" }, h("h2", { tabindex: "-1" }, "Answers"), h("a", { href: `#/jobs/${job.id}` }, "Open as a page")), shown);
        if (isIdle(panel)) place.querySelector("h2").focus({ preventScroll: true });
        place.scrollIntoView({ block: "nearest" });
        say(`${count(now.progress.done, "picture")} answered`);
      }
    } }));
  };
  const panel = h("section", { class: "panel", "aria-labelledby": "ask-title" },
    h("h2", { id: "ask-title" }, "Ask what it is"),
    dropZone({ name: "Questions", text: "Drop pictures to name here", hint: "one or thousands; each answer shows the examples that decided it.", onpictures: classify }),
    stage);
  return panel;
}

// whoever has gone on to something else meanwhile keeps their place
function isIdle(panel) {
  return document.activeElement === document.body || panel.contains(document.activeElement);
}

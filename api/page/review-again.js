// What is asked again after teaching, and the groups of pictures that no class fits.

import { call, everything } from "./api.js";
import { review } from "./correct.js";
import { button, count, h } from "./element.js";
import { labelForm, labelList } from "./label-field.js";
import { problem } from "./messages.js";
import { picture } from "./picture.js";
import { follow } from "./watch.js";

/** Decide all unreviewed answers again, from kept vectors; returns the message about it. */
export async function askAgain(job, signal) {
  const started = await call("POST", `/v1/jobs/${job.id}/redecide`, { json: {} });
  for await (const now of follow(started.id, signal)) if (now.state === "failed") throw { title: "Not asked again", message: "its job failed; see Jobs" };
  const { asked, changed } = await call("GET", started.links.summary, { signal });
  return `Asked ${count(asked, "answer")} again: ${changed.toLocaleString("en")} changed`;
}

/**
 * Similar pictures that no class fits, to be named together.
 * @param {any} job
 * @param {{signal: AbortSignal, onnamed: (text: string) => void}} options
 */
export function groupsPanel(job, { signal, onnamed }) {
  const names = labelList(job.collection, signal);
  const list = h("ul", { class: "rows groups" });
  const said = h("p", { class: "quiet", role: "status" });
  const panel = h("section", { class: "panel", "aria-labelledby": "groups-title", hidden: true },
    h("div", { class: "row spread" }, h("h2", { id: "groups-title", tabindex: "-1" }, "Groups of pictures not recognised"), button("Close", () => { panel.hidden = true; }, { class: "small" })),
    said, list, names);
  panel.open = async () => {
    panel.hidden = false;
    panel.querySelector("h2").focus();
    list.replaceChildren();
    said.textContent = "Grouping…";
    try {
      const made = await call("POST", `/v1/jobs/${job.id}/groups`, { json: {} });
      for await (const _ of follow(made.id, signal)); // until it has ended
      for await (const group of everything(made.links.results, { status: "done" }, signal)) list.append(row(group));
      said.textContent = list.childElementCount ? "Largest first. A few pictures of each become examples of its class." : "No two of these pictures are alike.";
    } catch (error) {
      if (!signal.aborted) said.replaceChildren(problem(error, panel.open));
    }
  };
  const row = (group) => {
    const wrong = h("div");
    const form = labelForm({ name: `Class of these ${group.size} pictures`, action: `Name ${group.size}`, list: names, placeholder: "Class", onlabel: async (label) => {
      wrong.replaceChildren();
      try {
        const rest = group.items.filter((item) => !group.suggested.includes(item));
        await review(job, group.suggested.map((item) => ({ item })), { label }, { examples: true });
        if (rest.length) await review(job, rest.map((item) => ({ item })), { label });
        made.remove();
        onnamed(`${count(group.size, "picture")} labelled ${label}, ${group.suggested.length} added as examples`);
      } catch (error) {
        wrong.replaceChildren(problem(error));
      }
    } });
    const shown = [group.representative, ...group.suggested.filter((item) => item !== group.representative)];
    const made = h("li", {}, h("div", { class: "row" }, h("strong", {}, count(group.size, "picture")),
      h("span", { class: "quiet" }, `alike ${group.tightness.toFixed(2)}`)),
    h("div", { class: "row" }, shown.map((item) => picture(`/v1/jobs/${job.id}/items/${item}/thumbnail`, "", { class: "member" }))), form, wrong);
    return made;
  };
  return panel;
}

// Results as files.

import { file } from "./api.js";
import { button, h } from "./element.js";
import { problem } from "./messages.js";

const FORMS = {
  CSV: ["text/csv", "csv"],
  "JSON lines": ["application/x-ndjson", "jsonl"],
  Parquet: ["application/vnd.apache.parquet", "parquet"],
};

export function downloads(job, signal) {
  const wrong = h("span");
  const one = (name) => button(name, async () => {
    wrong.replaceChildren();
    try {
      save(await file(job.links.results, FORMS[name][0], signal), `${job.collection}-${job.id.slice(0, 12)}.${FORMS[name][1]}`);
    } catch (error) {
      if (!signal.aborted) wrong.replaceChildren(problem(error));
    }
  }, { class: "small", "aria-label": `Download results as ${name}` });
  return h("div", { class: "row" }, h("span", { class: "quiet" }, "Download"), Object.keys(FORMS).map(one), wrong);
}

/** Save a Blob as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// Jobs: the list, kept current, and one job with its results.

import { answers, reviewLink } from "./answers.js";
import { call, page } from "./api.js";
import { button, count, h } from "./element.js";
import { jobBar } from "./job-bar.js";
import { problem } from "./messages.js";
import { isOver, pause } from "./watch.js";

const NEW_MS = 4000;
const AT_ONCE = 20;
const KINDS = {
  classify: "Classify pictures", enroll: "Add examples", search: "Similarity search", report: "Report",
  embed: "Embeddings", reindex: "Reindex", compare: "Encoder comparison", import: "Import",
  redecide: "Answers asked again", group: "Groups",
};
const ANSWERED = ["classify", "enroll", "search"];

export function jobsView(_, signal) {
  const rows = h("ul", { class: "rows" });
  const none = h("p", { class: "quiet", hidden: true }, "No jobs yet. Everything you submit appears here.");
  const wrong = h("div");
  const more = button("Show more", () => older(), { class: "more", hidden: true });
  const shown = new Set();
  let cursor = null;
  const add = (items, where) => {
    const fresh = items.filter(({ id }) => !shown.has(id));
    for (const { id } of fresh) shown.add(id);
    rows[where](...fresh.map((job) => row(job, signal)));
    none.hidden = shown.size > 0;
  };
  const older = async () => {
    try {
      const found = await page("/v1/jobs", { limit: AT_ONCE, cursor }, signal);
      add(found.items, "append");
      cursor = found.next_cursor;
      more.hidden = !cursor;
    } catch (error) {
      if (!signal.aborted) wrong.replaceChildren(problem(error, older));
    }
  };
  const newer = async () => {
    while (!signal.aborted) {
      await pause(NEW_MS, signal);
      if (signal.aborted) return;
      const found = await page("/v1/jobs", { limit: AT_ONCE }, signal).catch(() => null); // reported once by `older`
      if (found) add(found.items, "prepend");
    }
  };
  older().then(newer);
  return { title: "Jobs", tab: "jobs", parts: [rows, none, wrong, more] };
}

function row(job, signal) {
  const link = h("a", { class: "lead", href: `#/jobs/${job.id}` });
  const onchange = (now) => { link.textContent = [titleOf(now), now.collection].filter(Boolean).join(" · "); };
  onchange(job);
  return h("li", {}, h("div", { class: "row spread" }, link,
    h("time", { class: "quiet", datetime: job.created_at }, new Date(job.created_at).toLocaleString())), jobBar(job, { signal, onchange }));
}

/** "Added 5 examples" once the job is over, "Add examples" until then. */
function titleOf({ kind, state, progress: { done } }) {
  const over = (state === "succeeded" || state === "partial") && done > 0;
  if (over && kind === "enroll") return `Added ${count(done, "example")}`;
  if (over && kind === "classify") return `${count(done, "picture")} sorted`;
  return KINDS[kind] ?? kind;
}

export async function jobView({ id }, signal) {
  const job = await call("GET", `/v1/jobs/${id}`, { signal });
  const place = h("div", { class: "stage" });
  let shown = null;
  let over = null;
  const bar = jobBar(job, { signal, onchange: (now) => {
    if (over === isOver(now)) return;
    over = isOver(now);
    if (!ANSWERED.includes(now.kind)) return;
    if (shown) shown.refresh();
    else if (over || now.progress.done) {
      shown = answers(now, { signal });
      place.replaceChildren(reviewLink(now), shown);
    } else over = null;
  } });
  return {
    title: titleOf(job), tab: "job",
    parts: [h("p", { class: "quiet" }, job.collection && h("a", { href: `#/c/${job.collection}` }, job.collection), ` ${new Date(job.created_at).toLocaleString()}`),
      bar, job.note && h("p", { class: "hint" }, job.note),
      job.kind === "report" && h("p", {}, h("a", { href: `#/c/${job.collection}/report` }, "Open report")), place],
  };
}

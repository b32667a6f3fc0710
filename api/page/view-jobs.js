// Jobs: all of them as they go on, and one with its answers.

import { answers } from "./answers.js";
import { call, page } from "./api.js";
import { button, h } from "./element.js";
import { jobBar } from "./job-bar.js";
import { problem } from "./tell.js";
import { isOver, pause } from "./watch.js";

const NEW_MS = 4000;
const AT_ONCE = 20;
const KINDS = {
  classify: "Named pictures", enroll: "Learnt examples", search: "Searched", report: "Made a report",
  embed: "Made vectors", reindex: "Tried another encoder", compare: "Compared two encoders", import: "Imported",
};
const ANSWERED = ["classify", "enroll", "search"];

export function jobsView(_, signal) {
  const rows = h("ul", { class: "rows" });
  const none = h("p", { class: "quiet", hidden: true }, "No jobs yet: whatever you submit appears here.");
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
      const found = await page("/v1/jobs", { limit: AT_ONCE }, signal).catch(() => null); // said once by `older`
      if (found) add(found.items, "prepend");
    }
  };
  older().then(newer);
  return { title: "Jobs", tab: "jobs", parts: [rows, none, wrong, more] };
}

function row(job, signal) {
  return h("li", {}, h("div", { class: "row spread" },
    h("a", { class: "lead", href: `#/jobs/${job.id}` }, [KINDS[job.kind] ?? job.kind, job.collection].filter(Boolean).join(" · ")),
    h("time", { class: "quiet", datetime: job.created_at }, new Date(job.created_at).toLocaleString())), jobBar(job, { signal }));
}

export async function jobView({ id }, signal) {
  const job = await call("GET", `/v1/jobs/${id}`, { signal });
  const place = h("div");
  let shown = null;
  let over = null;
  const bar = jobBar(job, { signal, onchange: (now) => {
    if (over === isOver(now)) return;
    over = isOver(now);
    if (!ANSWERED.includes(now.kind)) return;
    if (shown) shown.refresh();
    else if (over || now.progress.done) {
      shown = answers(now, { signal });
      place.replaceChildren(shown);
    } else over = null;
  } });
  return {
    title: KINDS[job.kind] ?? job.kind, tab: "job",
    parts: [h("p", { class: "quiet" }, job.collection && h("a", { href: `#/c/${job.collection}` }, job.collection), ` ${new Date(job.created_at).toLocaleString()}`),
      bar, job.note && h("p", { class: "hint" }, job.note),
      job.kind === "report" && h("p", {}, h("a", { href: `#/c/${job.collection}/report` }, "See the report")), place],
  };
}

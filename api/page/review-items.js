// The answers under review: loaded page by page, judged at once, and undone step by step.

import { call, everything, page } from "./api.js";
import { review, textOf, unreview } from "./correct.js";
import { applied, given, isMany, verdictOf } from "./verdicts.js";
import { pause } from "./watch.js";

const AT_ONCE = 500; // results of one page
const AGAIN_MS = 1500; // while the job is running

/**
 * Answers of a job. It tells `change` when more have come or one has changed, and `act` after each step.
 */
export class ReviewItems extends EventTarget {
  items = [];
  summary = null;
  complete = false;
  problem = null;
  #job;
  #signal;
  #loading = new AbortController();
  #past = [];
  #busy = Promise.resolve();
  #unstored = 0; // reviews that are shown already, and not yet in the counts of the service

  constructor(job, signal) {
    super();
    this.#job = job;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#loading.abort());
  }

  /** Load the answers that match a query, the first ones first. */
  async load(query) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    Object.assign(this, { items: [], complete: false, problem: null });
    this.#tell("change");
    try {
      await this.count();
      for (let cursor = null; ;) {
        const found = await page(this.#job.links.results, { status: "done", limit: AT_ONCE, ...query, cursor }, signal);
        if (signal.aborted) return;
        this.items.push(...found.items);
        this.#tell("change");
        if (!found.next_cursor) break;
        if (found.next_cursor === cursor) await pause(AGAIN_MS, signal); // the job is still running
        if (signal.aborted) return;
        cursor = found.next_cursor;
      }
      await this.count();
      this.complete = true;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error;
    }
    this.#tell("change");
  }

  /** Read the counts of the job again. */
  count() {
    return this.#after(async () => {
      this.summary = await call("GET", this.#job.links.summary, { signal: this.#signal });
      this.summary.reviewed += this.#unstored;
      this.#tell("act");
    });
  }

  /** Answers of the job that match a query, whatever is shown. */
  async matching(query) {
    const found = [];
    for await (const one of everything(this.#job.links.results, { status: "done", limit: AT_ONCE, ...query }, this.#signal)) found.push(one);
    const shown = new Map(this.items.map((one) => [one.item, one]));
    return found.map((one) => shown.get(one.item) ?? one);
  }

  /** Give answers a verdict, shown before it is stored; `examples` enrols them under its label. */
  judge(results, verdict, { examples }) {
    const before = results.map((one) => [one, state(one)]);
    for (const one of results) apply(one, verdict);
    const more = this.#change(before);
    this.#unstored += more;
    return this.#after(async () => {
      try {
        const done = await review(this.#job, results, verdict, { examples });
        this.#past.push({ before, results });
        this.#tell("act", `${textOf(results.length, verdict)}${done.added ? `, ${done.added} added as examples` : ""}`);
        if (done.failed.length) throw failure(done.failed);
      } catch (error) {
        if (this.#past.at(-1)?.before !== before) this.#restore(before);
        throw error;
      } finally {
        this.#unstored -= more;
      }
    });
  }

  /** Take back the last step; returns its answers, or null where there is none. */
  undo() {
    return this.#after(async () => {
      const step = this.#past.pop();
      if (!step) return null;
      await unreview(this.#job, step.results);
      for (const [verdict, results] of byVerdict(step.before)) await review(this.#job, results, verdict);
      this.#restore(step.before);
      this.#tell("act", "Undone");
      return step.before.map(([one]) => one);
    });
  }

  /** Remove reviews, whoever made them. */
  clear(results) {
    return this.#after(async () => {
      await unreview(this.#job, results);
      const before = results.map((one) => [one, state(one)]);
      for (const one of results) Object.assign(one, { reviewed: false, review: undefined }, isMany(one) ? { final_labels: given(one).sort() } : { final_label: one.label });
      this.#change(before);
      this.#tell("act", "Review removed");
    });
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  // one after the other, so that undoing meets what was done
  #after(step) {
    const next = this.#busy.then(step);
    this.#busy = next.catch(() => {});
    return next;
  }

  #restore(before) {
    const now = before.map(([one]) => [one, state(one)]);
    for (const [one, was] of before) Object.assign(one, was);
    this.#change(now);
  }

  #change(before) {
    const more = before.reduce((sum, [one, { reviewed }]) => sum + Number(one.reviewed) - Number(reviewed), 0);
    this.summary.reviewed += more;
    this.#tell("change");
    return more;
  }

  #tell(name, text) {
    this.dispatchEvent(new CustomEvent(name, { detail: text }));
  }
}

function state({ reviewed, final_label, final_labels, review: made }) {
  return { reviewed, final_label, final_labels, review: made };
}

function apply(one, verdict) {
  if (isMany(one)) return Object.assign(one, applied(one, verdict));
  const { label, accepted = false } = verdict;
  const final = accepted ? one.label : label;
  return Object.assign(one, { reviewed: true, final_label: final, review: { label: final, accepted, by: "local" } });
}

/** The verdicts that answers had before, each with its answers. */
function byVerdict(before) {
  const found = new Map();
  for (const [one, { reviewed, review: made }] of before) {
    if (!reviewed) continue;
    const verdict = verdictOf(made);
    const key = JSON.stringify(verdict);
    if (!found.has(key)) found.set(key, [verdict, []]);
    found.get(key)[1].push(one);
  }
  return found.values();
}

function failure(failed) {
  return { title: "Some pictures were not added", message: [...new Set(failed.map((one) => one.error.detail))].join("; ") };
}

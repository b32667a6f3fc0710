// The progress of a job, with buttons to pause, resume, cancel and retry it.

import { call } from "./api.js";
import { button, count, h } from "./element.js";
import { problem, say } from "./messages.js";
import { follow, isOver } from "./watch.js";

const MOVES = {
  queued: ["pause", "cancel"], running: ["pause", "cancel"], paused: ["resume", "cancel"],
  partial: ["retry"], failed: ["retry"],
};
const UNCOUNTED = new Set(["report", "compare", "group"]); // jobs whose items are not pictures
const HOPELESS = /^(picture|member|archive|manifest|label|class)_|^(item_invalid|url_refused|target_invalid|blob_not_found)$/; // errors of the file itself
const NAMES = { pause: "Pause", cancel: "Cancel", resume: "Resume", retry: "Retry failed" };

/**
 * @param {any} job
 * @param {{signal: AbortSignal, onchange?: (job: any) => void}} options
 */
export function jobBar(job, { signal, onchange }) {
  const bar = h("progress", { max: 1, "aria-label": "Progress" });
  const text = h("span", { class: "quiet" });
  const moves = h("span", { class: "row" });
  const wrong = h("div");
  let worth = false;
  const show = (now) => {
    job = now;
    bar.value = isOver(job) ? 1 : share(job.progress);
    bar.hidden = isOver(job);
    text.textContent = stateOf(job);
    const names = (MOVES[job.state] ?? []).filter((name) => name !== "retry" || worth);
    if (moves.dataset.names === names.join()) return;
    moves.dataset.names = names.join();
    const held = moves.contains(document.activeElement);
    moves.replaceChildren(...names.map((name) => button(NAMES[name], () => move(name), { class: "small" })));
    if (held) moves.querySelector("button")?.focus();
  };
  const move = async (name) => {
    wrong.replaceChildren();
    try {
      show(await call("POST", job.links[name], { signal }));
      say(`Job is ${job.state}`);
      watch();
    } catch (error) {
      if (!signal.aborted) wrong.replaceChildren(problem(error));
    }
  };
  // a broken file fails again: Retry is offered only where something else went wrong
  const weigh = async () => {
    if (!MOVES[job.state]?.includes("retry") || job.kind === "import") return;
    const { errors } = await call("GET", job.links.summary, { signal }).catch(() => ({ errors: {} }));
    worth = Object.keys(errors).some((code) => !HOPELESS.test(code));
    show(job);
  };
  let watching = false;
  const watch = async () => {
    if (isOver(job)) weigh();
    if (watching || isOver(job)) return onchange?.(job);
    watching = true;
    try {
      for await (const now of follow(job.id, signal)) {
        show(now);
        onchange?.(now);
      }
      weigh();
      if (!signal.aborted) say(`Job finished: ${stateOf(job)}`);
    } catch (error) {
      if (!signal.aborted) wrong.replaceChildren(problem(error, watch));
    } finally {
      watching = false;
    }
  };
  show(job);
  queueMicrotask(watch); // a finished job calls back at once, and the caller must have the bar first
  return h("div", { class: "job-bar" }, bar, h("div", { class: "row" }, text, moves), wrong);
}

/** "running, 64 of 250 pictures, 2 failed", and at the end "248 pictures done, 2 failed". */
export function stateOf(job) {
  const { total, done, failed, eta_s: eta } = job.progress;
  if (job.state === "succeeded" || job.state === "partial") return `${UNCOUNTED.has(job.kind) ? "done" : `${count(done, "picture")} done`}${failed ? `, ${failed} failed` : ""}`;
  const parts = [job.state, job.expanding ? `${done + failed} so far` : `${done + failed} of ${count(total, "picture")}`];
  if (failed) parts.push(`${failed} failed`);
  if (!isOver(job) && eta > 2) parts.push(`about ${eta < 90 ? `${Math.round(eta)} s` : `${Math.round(eta / 60)} min`} left`);
  return parts.join(", ");
}

function share({ total, done, failed }) {
  return total ? (done + failed) / total : 0;
}

// Follows a job by polling: an open event stream would hold a server thread.

import { call } from "./api.js";

const FIRST_MS = 300;
const LAST_MS = 2000;
const OVER = new Set(["succeeded", "partial", "failed", "cancelled"]);

export function isOver(job) {
  return OVER.has(job.state);
}

/** Yield the job each time it is polled, the last time when it has ended. */
export async function* follow(id, signal) {
  for (let wait = FIRST_MS; !signal.aborted; wait = Math.min(wait * 1.3, LAST_MS)) {
    const job = await call("GET", `/v1/jobs/${id}`, { signal });
    yield job;
    if (isOver(job)) return;
    await pause(wait, signal);
  }
}

/** Wait, longer while the tab is hidden; end at once when the view closes. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, document.hidden ? ms * 5 : ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

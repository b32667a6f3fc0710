// Reviews: what people say of answers is kept with the job, and a label makes the picture an example of that class.

import { call, page } from "./api.js";
import { changed, done, settle } from "./undo.js";
import { count } from "./element.js";

const MOST = 10_000; // items that one call reviews
const MOST_EXAMPLES = 1_000; // and those whose pictures it also enrols

/** @typedef {{label: string | null} | {accepted: true} | {labels: string[]} | {add: string[]} | {remove: string[]}} Verdict the last three where a picture may have several labels */

/**
 * Review answers of a job, and make their pictures examples where the verdict is a label; undoing takes both back.
 * @param {any} job
 * @param {{item: number}[]} results
 * @param {Verdict} verdict
 * @param {{examples?: boolean}} options
 * @returns {Promise<{added: number, failed: any[]}>} the examples that were added, and the results of those that were not
 */
export async function review(job, results, verdict, { examples = false } = {}) {
  await settle();
  const enroll = examples && !verdict.accepted && verdict.label !== null;
  const outcomes = [];
  for (const items of parts(results, enroll ? MOST_EXAMPLES : MOST)) {
    const made = await call("POST", `/v1/jobs/${job.id}/review`, {
      json: { items, ...verdict, ...(enroll && { enroll }) }, headers: enroll ? { Prefer: "wait=60" } : {},
    });
    if (made.enroll_job) outcomes.push(...(await page(`/v1/jobs/${made.enroll_job}/results`, { limit: MOST_EXAMPLES })).items);
  }
  const failed = outcomes.filter((one) => one.status === "failed");
  return { added: outcomes.length - failed.length, failed };
}

/** Review answers as `review` does, with a message that offers to undo it; returns what could not be enrolled. */
export async function correct(job, results, verdict, onundo) {
  const { added, failed } = await review(job, results, verdict, { examples: true });
  const more = added ? `, ${added} added as examples` : "";
  done(`${textOf(results.length, verdict)}${more}`, async () => { await unreview(job, results); onundo(); });
  changed();
  return failed;
}

/** "3 pictures labelled zero". */
export function textOf(number, { label, labels, add, remove, accepted }) {
  if (accepted) return `${count(number, "answer")} accepted`;
  if (add || remove) return `${count(number, "picture")}: ${add ? `${add.at(-1)} added` : `${remove[0]} removed`}`;
  if (labels) return `${count(number, "picture")} ${labels.length ? `labelled ${labels.join(", ")}` : "marked as none of the labels"}`;
  return `${count(number, "picture")} ${label === null ? "marked as none of the classes" : `labelled ${label}`}`;
}

/** Remove the reviews of answers. */
export async function unreview(job, results) {
  for (const items of parts(results, MOST)) await call("POST", `/v1/jobs/${job.id}/unreview`, { json: { items } });
}

function* parts(results, most) {
  for (let start = 0; start < results.length; start += most) yield results.slice(start, start + most).map(({ item }) => item);
}

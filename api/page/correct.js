// Reviews: what people say of answers is kept with the job, and a label makes the picture an example of that class.

import { call, pathOf } from "./api.js";
import { changed, done, settle } from "./undo.js";
import { count } from "./element.js";

const AT_ONCE = 16; // items in one call: what the service does before all bulk work
const MOST = 10_000; // items that one call reviews

/** @typedef {{label: string | null} | {accepted: true}} Verdict */

/**
 * Review answers of a job, and enrol their pictures where the verdict is a label.
 * @param {any} job
 * @param {{item: number}[]} results
 * @param {Verdict} verdict
 * @param {{examples?: boolean}} options
 * @returns {Promise<{undo: () => Promise<void>, added: number, failed: any[]}>}
 */
export async function review(job, results, verdict, { examples = false } = {}) {
  await settle();
  await judge(job, results, verdict);
  const outcomes = [];
  for (let start = 0; examples && verdict.label && start < results.length; start += AT_ONCE) {
    const items = results.slice(start, start + AT_ONCE).map(({ item }) => ({ label: verdict.label, image: { job: { id: job.id, item } } }));
    outcomes.push(...await enrol(job.collection, items));
  }
  // undo must not remove a picture that was there before
  const added = outcomes.filter((one) => one.status === "done" && one.duplicate_of !== one.support_id);
  const undo = async () => {
    for (const one of added) await call("DELETE", pathOf(job.collection, "supports", one.support_id));
    await unreview(job, results);
  };
  return { undo, added: added.length, failed: outcomes.filter((one) => one.status === "failed") };
}

/** Review answers as `review` does, with a message that offers to undo it; returns what could not be enrolled. */
export async function correct(job, results, verdict, onundo) {
  const { undo, added, failed } = await review(job, results, verdict, { examples: true });
  const more = added ? `, ${added} added as examples` : "";
  done(`${textOf(results.length, verdict)}${more}`, async () => { await undo(); onundo(); });
  changed();
  return failed;
}

/** "3 pictures labelled zero". */
export function textOf(number, { label, accepted }) {
  if (accepted) return `${count(number, "answer")} accepted`;
  return `${count(number, "picture")} ${label === null ? "marked as none of the classes" : `labelled ${label}`}`;
}

/** Note a verdict on answers, without examples. */
export async function judge(job, results, verdict) {
  for (const items of parts(results)) await call("POST", `/v1/jobs/${job.id}/review`, { json: { items, ...verdict } });
}

/** Remove the reviews of answers. */
export async function unreview(job, results) {
  for (const items of parts(results)) await call("POST", `/v1/jobs/${job.id}/unreview`, { json: { items } });
}

function* parts(results) {
  for (let start = 0; start < results.length; start += MOST) yield results.slice(start, start + MOST).map(({ item }) => item);
}

async function enrol(collection, items) {
  let job;
  try {
    job = await call("POST", pathOf(collection, "enroll"), { json: { items }, headers: { Prefer: "wait=60" } });
  } catch (error) {
    if (error.code !== "body_too_large" || items.length === 1) throw error;
    const half = items.length >> 1; // large photographs: fewer at once
    return [...await enrol(collection, items.slice(0, half)), ...await enrol(collection, items.slice(half))];
  }
  if (job.results) return job.results;
  throw { title: "Still in progress", message: "the service is busy; the pictures will be added, see Jobs" };
}

// Reviewing answers: the right label is kept with the job, and the picture becomes an example of that class.

import { call, pathOf } from "./api.js";
import { changed, done, settle } from "./undo.js";
import { count } from "./element.js";

const AT_ONCE = 16; // items in one call: what the service does before all bulk work

/**
 * Give answers of a job their right label, and enrol their pictures.
 * @param {any} job
 * @param {{item: number, custom_id: string | null}[]} results
 * @param {string} label
 * @param {() => void} onundo
 * @returns {Promise<any[]>} the pictures that could not be enrolled
 */
export async function correct(job, results, label, onundo) {
  await settle();
  await review(job, results, { label });
  const outcomes = [];
  for (let start = 0; start < results.length; start += AT_ONCE) {
    const items = results.slice(start, start + AT_ONCE).map(({ item }) => ({ label, image: { job: { id: job.id, item } } }));
    outcomes.push(...await enrol(job.collection, items));
  }
  // undo must not remove a picture that was there before
  const added = outcomes.filter((one) => one.status === "done" && one.duplicate_of !== one.support_id);
  done(`${count(results.length, "picture")} labelled ${label}, ${added.length} added as examples`, async () => {
    for (const one of added) await call("DELETE", pathOf(job.collection, "supports", one.support_id));
    await unreview(job, results);
    onundo();
  });
  changed();
  return outcomes.filter((one) => one.status === "failed");
}

/** Accept an answer as it stands, or say that the picture shows none of the classes. */
export async function judge(job, result, verdict, onundo) {
  await review(job, [result], verdict);
  done(verdict.accepted ? "Answer accepted" : "Marked as none of the classes", async () => {
    await unreview(job, [result]);
    onundo();
  });
}

/** Remove the reviews of answers. */
export function unreview(job, results) {
  return call("POST", `/v1/jobs/${job.id}/unreview`, { json: { items: results.map(({ item }) => item) } });
}

function review(job, results, verdict) {
  return call("POST", `/v1/jobs/${job.id}/review`, { json: { items: results.map(({ item }) => item), ...verdict } });
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

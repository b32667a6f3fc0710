// Putting an answer right: the picture of a job's item becomes a support of the class it really shows.

import { call, pathOf } from "./api.js";
import { changed, done, settle } from "./undo.js";
import { count } from "./element.js";

const AT_ONCE = 16; // items in one call: what the service does before all bulk work

/**
 * Enrol pictures that a job has read.
 * @param {any} job
 * @param {{item: number, custom_id: string | null}[]} results
 * @param {string} label
 * @returns {Promise<any[]>} the failed ones
 */
export async function correct(job, results, label) {
  await settle();
  const outcomes = [];
  for (let start = 0; start < results.length; start += AT_ONCE) {
    const items = results.slice(start, start + AT_ONCE).map(({ item }) => ({ label, image: { job: { id: job.id, item } } }));
    outcomes.push(...await enrol(job.collection, items));
  }
  // undo must not remove a picture that was there before
  const added = outcomes.filter((one) => one.status === "done" && one.duplicate_of !== one.support_id);
  if (added.length) {
    done(`${count(added.length, "picture")} added to ${label}`, async () => {
      for (const one of added) await call("DELETE", pathOf(job.collection, "supports", one.support_id));
    });
  }
  changed();
  return outcomes.filter((one) => one.status === "failed");
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

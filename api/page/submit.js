// Pictures on their way: a few as JSON that is answered at once, many as one archive and one job.

import { pathOf, send } from "./api.js";
import { settle } from "./undo.js";
import { tar } from "./tar.js";

const FEW = 16; // what the service does before all bulk work
const FEW_BYTES = 16 << 20; // base64 makes a third more of them; the largest such body has 32 MB

/**
 * Submit pictures as one job; it goes on when another view is opened.
 * @param {string} collection
 * @param {"classify" | "enroll"} kind
 * @param {(import("./files.js").Picture & {label?: string, labels?: string[], complete?: boolean})[]} pictures
 * @param {{onsent?: (share: number) => void}} options
 * @returns {Promise<any>} the job, with its results where it has ended already
 */
export async function submit(collection, kind, pictures, options = {}) {
  sending += 1;
  try {
    return await sendAll(collection, kind, pictures, options);
  } finally {
    sending -= 1;
  }
}

let sending = 0;
addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });

async function sendAll(collection, kind, pictures, options) {
  await settle(); // a class that waits to be deleted must not take what is enrolled now
  const bytes = pictures.reduce((sum, { file }) => sum + file.size, 0);
  if (pictures.length > FEW || bytes > FEW_BYTES) {
    return send(`${pathOf(collection, "bulk")}?kind=${kind}`, archive(pictures), {
      ...options, headers: { "Content-Type": "application/x-tar" },
    });
  }
  const items = await Promise.all(pictures.map(item));
  return send(pathOf(collection, kind), new Blob([JSON.stringify({ items })]), {
    ...options, headers: { "Content-Type": "application/json", Prefer: "wait=10" },
  });
}

async function item(picture) {
  return { image: { base64: await base64(picture.file) }, custom_id: plain(picture.path).slice(-256), ...labelled(picture) };
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

// Paths and labels go into the manifest, which takes any text; the archive's own names are numbers.
function archive(pictures) {
  const lines = pictures.map((one, number) => JSON.stringify({ path: `${number}`, custom_id: plain(one.path), ...labelled(one) }));
  const manifest = new Blob([lines.join("\n")]);
  return tar([
    { path: "manifest.jsonl", content: manifest },
    ...pictures.map(({ file }, number) => ({ path: `${number}`, content: file })),
  ]);
}

function labelled({ label, labels, complete }) {
  return labels ? { labels, complete } : label && { label };
}

function plain(path) {
  return path.replace(/[\x00-\x1f\x7f]/g, "\ufffd").slice(-1000);
}

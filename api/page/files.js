// Files that people drop or choose, folders and all, as pictures with their paths.

import { SYSTEM, isOfSystem } from "./folders.js";

const ORDER = new Intl.Collator("en", { numeric: true }); // 2.jpg before 10.jpg
const [PICTURES, VIDEOS] = ["picture-suffixes", "video-suffixes"]
  .map((name) => document.querySelector(`meta[name="${name}"]`).content.split(" "));
const LIVE = [".mov", ".mp4"]; // next to a picture of the same name it is the video of a Live Photo

/** What a file input takes: what the browser takes for a picture, and what it has never heard of. */
export const ACCEPT = ["image/*", ...PICTURES].join();

/** @typedef {{file: File, path: string, folder: string}} Picture its path as dropped, its innermost folder or "" */

/**
 * Read what was dropped. Entries must be taken before the first await: the event empties its list.
 * @param {DataTransfer} dropped
 * @returns {Promise<{pictures: Picture[], others: Map<string, number>, live: number}>} with what is left out, counted
 */
export async function readDrop(dropped) {
  const found = [...dropped.items].filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = [];
  for (const one of found) {
    if (one instanceof File) files.push({ file: one, path: one.name });
    else if (one) for await (const file of walk(one, "")) files.push(file);
  }
  return sort(files);
}

/** Read what was chosen in a file input. */
export function readInput(input) {
  return sort([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

async function* walk(entry, above) {
  const path = above + entry.name;
  if (entry.isFile) {
    yield { file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path };
    return;
  }
  const reader = entry.createReader();
  for (;;) { // it gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) yield* walk(inner, `${path}/`);
  }
}

function sort(files) {
  const pictures = files.filter(isPicture)
    .map(({ file, path }) => ({ file, path, folder: path.split("/").at(-2) ?? "" }));
  pictures.sort((one, other) => ORDER.compare(one.path, other.path));
  const stems = new Set(pictures.map(({ path }) => split(path)[0]));
  const others = new Map();
  let live = 0;
  for (const { path } of files.filter((one) => !isPicture(one))) {
    const [stem, suffix] = split(path);
    if (LIVE.includes(suffix) && stems.has(stem)) live += 1;
    else others.set(whatIs(path), (others.get(whatIs(path)) ?? 0) + 1);
  }
  return { pictures, others, live };
}

function isPicture({ file, path }) {
  return !isOfSystem(path) && (file.type.startsWith("image/") || PICTURES.includes(split(path)[1]));
}

function isHidden(path) {
  return path.split("/").some((part) => part.startsWith("."));
}

function split(path) {
  const [, stem, suffix] = /^(.*?)(\.[^./]*)?$/s.exec(path.toLowerCase());
  return [stem, suffix ?? ""];
}

function whatIs(path) {
  const name = path.split("/").at(-1);
  const suffix = split(path)[1];
  if (isHidden(path)) return "hidden file";
  if (SYSTEM.has(name.toLowerCase())) return name;
  if (isOfSystem(path)) return "system file";
  if (VIDEOS.includes(suffix)) return "video";
  return suffix.length > 1 ? `${suffix.slice(1).toUpperCase()} file` : "other file";
}

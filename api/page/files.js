// Files that people drop or choose, folders and all, as pictures with their paths.

import { isOfSystem } from "./folders.js";

const ORDER = new Intl.Collator("en", { numeric: true }); // 2.jpg before 10.jpg
const PICTURE = /\.(jpe?g|png|webp|gif|bmp|tiff?)$/i;

/** @typedef {{file: File, path: string, folder: string}} Picture its path as dropped, its innermost folder or "" */

/**
 * Read what was dropped. Entries must be taken before the first await: the event empties its list.
 * @param {DataTransfer} dropped
 * @returns {Promise<{pictures: Picture[], others: number}>}
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
  const seen = files.filter(({ path }) => !isOfSystem(path));
  const pictures = seen
    .filter(({ file }) => file.type.startsWith("image/") || PICTURE.test(file.name))
    .map(({ file, path }) => ({ file, path, folder: path.split("/").at(-2) ?? "" }));
  pictures.sort((one, other) => ORDER.compare(one.path, other.path));
  return { pictures, others: seen.length - pictures.length };
}

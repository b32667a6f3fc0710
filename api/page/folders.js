// The folders of dropped pictures: those of systems, and which one names a class.

export const SYSTEM = new Set([
  "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "__macosx",
  "@eadir", "#recycle", "@recycle", "#snapshot", "@recently-snapshot", "lost+found",
]); // as formats/names.py

/** Whether a path is hidden, or a thumbnail or bin of a system. */
export function isOfSystem(path) {
  return path.split("/").some((part) => part.startsWith(".") || SYSTEM.has(part.toLowerCase()));
}

/**
 * Find two folders of one name in different places, which would become one class.
 * @param {import("./files.js").Picture[]} pictures
 * @returns {{label: string, folders: string[]} | null}
 */
export function clash(pictures) {
  const first = new Map();
  for (const { path, folder } of pictures) {
    const label = folder.normalize().trim();
    const place = above(path).join("/").normalize();
    if (label && (first.get(label) ?? place) !== place) return { label, folders: [first.get(label), place] };
    first.set(label, place);
  }
  return null;
}

/** Label pictures by their top folders, below what all of them have in common. */
export function byTopFolder(pictures) {
  const folders = pictures.map(({ path }) => above(path));
  let common = folders[0]?.length ?? 0;
  for (const parts of folders) {
    while (common && !(parts.length >= common && parts.slice(0, common).every((part, at) => part === folders[0][at]))) common -= 1;
  }
  return pictures.map((one, at) => ({ ...one, label: folders[at][common] ?? one.folder }));
}

function above(path) {
  return path.split("/").slice(0, -1);
}

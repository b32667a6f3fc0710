// A place to drop pictures on, or to choose them with the keyboard.

import { button, count, h } from "./element.js";
import { ACCEPT, readDrop, readInput } from "./files.js";
import { problem, say } from "./messages.js";

/**
 * @param {{text: string, hint: string, onpictures: (pictures: import("./files.js").Picture[]) => void}} what
 */
export function dropZone({ text, hint, onpictures, name }) {
  const message = h("div", { class: "message" });
  const take = ({ pictures, others, live }) => {
    message.replaceChildren();
    const sum = [...others.values()].reduce((one, other) => one + other, 0);
    const named = [...others].map(([what, number]) => (what.includes(".") ? `${number} ${what}` : count(number, what)));
    if (sum) message.append(h("p", {}, `${count(sum, "file")} skipped: ${named.join(", ")}.`));
    if (live) message.append(h("p", {}, `${count(live, "Live Photo")} taken without the video.`));
    if (pictures.length) onpictures(pictures);
    else if (!sum && !live) {
      message.replaceChildren(h("p", {}, "No files found: the folder is empty."));
      say("No files found");
    }
  };
  const choose = (what, properties) => {
    const input = h("input", { type: "file", hidden: true, "aria-label": `${name}: ${what}`, ...properties });
    input.addEventListener("change", () => { take(readInput(input)); input.value = ""; });
    return input;
  };
  const files = choose("pictures", { multiple: true, accept: ACCEPT });
  const folder = choose("folder", { multiple: true, webkitdirectory: true });
  const camera = choose("camera", { accept: "image/*", capture: "environment" });
  const zone = h("div", { class: "drop" },
    h("p", { class: "lead" }, text), h("p", { class: "quiet" }, hint),
    h("div", { class: "row" }, button("Take a photo", () => camera.click(), { class: "phone" }),
      button("Choose pictures", () => files.click()), button("Choose folder", () => folder.click(), { class: "desk" })),
    files, folder, camera, message);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    try {
      take(await readDrop(event.dataTransfer));
    } catch (error) {
      message.replaceChildren(problem(error));
    }
  });
  return zone;
}

// a picture that misses its place must not replace the page
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

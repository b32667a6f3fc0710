// A picture, shown large over the page.

import { button, h } from "./element.js";
import { largePicture } from "./picture.js";

/** @param {string} path @param {string} title @param {...any} more what stands below it */
export function openPicture(path, title, ...more) {
  const dialog = h("dialog", { class: "lightbox", "aria-label": title },
    largePicture(path, title), h("p", {}, title),
    h("div", { class: "row" }, button("Close", () => dialog.close(), { autofocus: true }), more));
  dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("a")) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

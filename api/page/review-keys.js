// The keyboard of the review view, and the list of its keys.

import { button, h } from "./element.js";

const KEYS = [
  ["← → ↑ ↓", "Go to another picture"], ["Home, End", "First, last"], ["Shift + arrow", "Select a range"], ["X", "Select or deselect the picture"],
  ["Ctrl + A", "Select all"], ["1, 2, 3", "Take a candidate"], ["Enter", "Accept the answer"], ["/", "Type a class, with completion"],
  ["U", "None of the classes"], ["Z", "Undo"], ["Space", "Large preview"], ["+, −", "Larger, smaller"], ["?", "Show these keys"],
  ["Esc", "Close the preview, or clear the selection"],
];
const SEVERAL = { "1, 2, 3": ["1 … 9", "Add or remove the label of a chip"], Enter: ["Enter", "Accept as it stands, go on"], "/": ["/", "Type a label, with completion"], U: ["U", "None of the labels"] };
const FIELDS = "input, select, textarea";

/**
 * Call actions by their keys while no field has the focus.
 * @param {Record<string, (event: KeyboardEvent) => void>} actions by key; `Ctrl+a` where Ctrl or Cmd is held
 */
export function onKeys(actions, signal) {
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.altKey || event.defaultPrevented || target.closest(FIELDS)) return;
    if (document.querySelector("dialog[open]:not(.preview)")) return;
    if ((key === "Enter" || key === " ") && target.closest("button, a, summary")) return;
    const name = event.ctrlKey || event.metaKey ? `Ctrl+${key.toLowerCase()}` : key.length === 1 ? key.toLowerCase() : key;
    const action = actions[name];
    if (!action) return;
    event.preventDefault();
    action(event);
  }, { signal });
}

/** List the keys; `several` where a picture may have several labels. */
export function showKeys(several = false) {
  const keys = KEYS.map((one) => (several && SEVERAL[one[0]]) || one);
  const dialog = h("dialog", { class: "keys", "aria-labelledby": "keys-title" }, h("h2", { id: "keys-title" }, "Keys"),
    h("dl", {}, keys.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    button("Close", () => dialog.close(), { autofocus: true }));
  dialog.addEventListener("keydown", (event) => { if (event.key === "?") dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

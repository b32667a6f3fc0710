// The key, where the service asks for one: kept for this tab, sent in a header, never part of an address.

import { h } from "./element.js";

const PLACE = "exemplar.key";
let asking = null;

/** @returns {string | null} */
export function key() {
  return sessionStorage.getItem(PLACE);
}

export function forgetKey() {
  sessionStorage.removeItem(PLACE);
}

/**
 * Ask for a key, once however many calls are refused at the same moment.
 * @param {string} why what the service said
 * @returns {Promise<boolean>} whether one was given
 */
export function askKey(why) {
  asking ??= ask(why).finally(() => (asking = null));
  return asking;
}

function ask(why) {
  const input = h("input", {
    id: "key", type: "password", required: true, autocomplete: "off", spellcheck: "false", autofocus: true,
    "aria-describedby": "key-why",
  });
  const dialog = h(
    "dialog", { "aria-labelledby": "key-title" },
    h("form", { method: "dialog" },
      h("h2", { id: "key-title" }, "Key required"),
      h("p", { id: "key-why" }, why, ". Ask the operator of this service for a key. It is stored in this tab only."),
      h("label", { for: "key" }, "Key"), input,
      h("div", { class: "row" }, h("button", { class: "primary" }, "Continue"))),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = input.value.trim();
      if (given) sessionStorage.setItem(PLACE, given);
      dialog.remove();
      document.dispatchEvent(new Event("key"));
      resolve(given !== "");
    });
  });
}

// The name of a collection: any title may be typed, and its ID is shown.

import { h } from "./element.js";

/** Returns `element` with a button `text`, the ID as `value()`, and `focus`; `changed` is called on input. */
export function nameField(text, title, changed) {
  const name = h("input", { id: "name", required: true, maxlength: 100, value: title, autocomplete: "off", spellcheck: "false", "aria-describedby": "name-help" });
  const value = () => idOf(name.value);
  const id = h("code", {}, value());
  name.addEventListener("input", () => { id.textContent = value(); changed(); });
  return {
    element: [h("div", { class: "field" }, h("label", { for: "name" }, "Name"), name, h("button", { class: "primary" }, text)),
      h("p", { class: "quiet", id: "name-help" }, "ID in URLs and commands: ", id)],
    value,
    focus: () => name.focus(),
  };
}

/** The ID of a collection from any title: "My Birds!" -> "my-birds". */
function idOf(title) {
  return title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9_]+/g, "-").slice(0, 63).replace(/^[-_]+|[-_]+$/g, "");
}

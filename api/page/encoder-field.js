// A choice of the encoders that the service offers, each with what is known of its accuracy.

import { call } from "./api.js";
import { h } from "./element.js";

// docs/recognition.md: accuracy on 20 sports with 1 / 5 examples a class
const HINTS = [["efficientnet_lite2", "81 / 94 % of 20 sports right with 1 / 5 examples a class"], ["efficientnet_lite0", "74 / 90 % of 20 sports right with 1 / 5 examples a class; takes half the time"], ["open_clip:", "recognises a wider range of pictures, also from class names; slower"], ["concat:", "the time of all its parts"]];

/** @param {string} id @param {AbortSignal} signal @param {string} [except] the encoder in use */
export async function encoderField(id, signal, except) {
  const { data } = await call("GET", "/v1/models", { signal });
  const offered = data.map((one) => one.id).filter((one) => one !== except);
  const hintOf = (name) => HINTS.find(([begin]) => name.startsWith(begin))?.[1] ?? "measure it: exemplar evaluate --encoder";
  const select = h("select", { id, "aria-describedby": `${id}-hint` }, offered.map((name) => h("option", { value: name }, name)));
  const hint = h("p", { class: "quiet", id: `${id}-hint` });
  const show = () => { hint.textContent = offered.length ? hintOf(select.value) : ""; };
  select.addEventListener("change", show);
  show();
  return { element: h("div", {}, h("div", { class: "field" }, h("label", { for: id }, "Encoder"), select), hint), others: offered.length, value: () => select.value };
}

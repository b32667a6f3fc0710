// Which encoder a collection uses, and how to switch to a better one.

import { call, pathOf } from "./api.js";
import { h } from "./element.js";

const RECOMMENDED = "open_clip:ViT-B-32/laion2b_s34b_b79k";

export async function encoderNote(collection, signal, found) {
  const { encoder } = found ?? await call("GET", pathOf(collection), { signal });
  return h("section", { class: "note" }, h("p", { class: "quiet" }, "Encoder: ", h("code", {}, encoder)),
    encoder.includes("efficientnet_lite") && upgrade(collection, encoder));
}

function upgrade(collection, encoder) {
  const step = (text, command) => h("li", {}, text, " ", h("code", {}, command));
  return h("details", {}, h("summary", {}, "Switch to CLIP"),
    h("p", {}, "CLIP recognises a wider range of pictures. Its weights (605 MB) are downloaded once."),
    h("ol", {},
      step("Restart the service with both encoders:", `exemplar up --encoders ${encoder},${RECOMMENDED}`),
      step("Embed the pictures of this collection:", `exemplar reindex start ${collection} --encoder ${RECOMMENDED}`),
      step("Switch over:", `exemplar reindex switch ${collection}`)));
}

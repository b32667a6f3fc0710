// Which encoder answers, and how to take a better one.

import { call, pathOf } from "./api.js";
import { h } from "./element.js";

const RECOMMENDED = "open_clip:ViT-B-32/laion2b_s34b_b79k";

export async function encoderNote(collection, signal, found) {
  const { encoder } = found ?? await call("GET", pathOf(collection), { signal });
  const better = encoder.includes("efficientnet_lite")
    ? ["CLIP recognises more where its weights can be had: ", h("code", {}, `exemplar reindex start ${collection} --encoder ${RECOMMENDED}`)]
    : [];
  return h("p", { class: "quiet" }, "Encoder: ", h("code", {}, encoder), ". ", better);
}

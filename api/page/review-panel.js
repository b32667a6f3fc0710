// The current answer: its picture, what it says and why, and the verdicts one can give.

import { evidence } from "./evidence.js";
import { button, h, percent } from "./element.js";
import { largePicture } from "./picture.js";
import { nameOf, saying } from "./wording.js";

const SIDE = 1024; // px

/**
 * @param {any} job
 * @param {{signal: AbortSignal, picker: HTMLElement, onverdict: (verdict: any) => void, onclear: () => void, onstep: (step: number) => void, several: any}} options
 *   `several`: what shows labels where a picture may have several, or null
 */
export function reviewPanel(job, { signal, picker, onverdict, onclear, onstep, several }) {
  const image = h("div", { class: "frame" });
  const words = h("div", { class: "words" });
  const verdicts = h("div", { class: "verdicts" });
  const why = h("div");
  const body = h("div", { class: "review-panel" }, image, h("div", { class: "side" }, words, verdicts, picker, why));
  const place = h("aside", { "aria-label": "Current picture" }, body);
  const dialog = h("dialog", { class: "preview", "aria-label": "Large preview", tabindex: "-1", autofocus: true });
  dialog.addEventListener("close", () => { place.append(body); dialog.remove(); });
  const moves = h("div", { class: "row moves" }, button("Previous", () => onstep(-1), { class: "small" }), button("Next", () => onstep(1), { class: "small" }),
    button("Close", () => dialog.close(), { class: "small", "aria-keyshortcuts": "Escape" }));
  signal.addEventListener("abort", () => dialog.remove());
  let shown = null;
  let load = new AbortController();
  return {
    place,
    dialog,
    /** Open the large preview, or close it. */
    toggle() {
      if (dialog.open) return dialog.close();
      document.body.append(dialog);
      dialog.showModal();
      dialog.append(body, moves); // not before: the dialog has the focus then, and Enter presses no button
      return undefined;
    },
    show(result, selected) {
      if (result && result.item !== shown) {
        load.abort();
        load = new AbortController();
        image.replaceChildren(largePicture(`/v1/jobs/${job.id}/items/${result.item}/thumbnail?side=${SIDE}`, nameOf(result), load.signal));
        why.replaceChildren(...(several ? several.why(result) : [evidence(job.collection, result)]));
      }
      shown = result?.item ?? null;
      body.hidden = !result;
      if (!result) return;
      const { label, note } = saying(result);
      words.replaceChildren(h("p", { class: "verdict" }, h("strong", {}, label), " ", h("span", { class: "sure" }, note)),
        h("p", { class: "file", title: nameOf(result) }, nameOf(result)),
        ...(selected > 1 ? [h("p", { class: "badge" }, `Applies to ${selected} selected pictures`)] : []));
      const held = verdicts.contains(document.activeElement) && document.activeElement.dataset.label; // a chip that was pressed
      verdicts.replaceChildren(
        ...(several ? several.chips(result, why) : (result.candidates ?? []).slice(0, 3).map((one, n) => choice(String(n + 1), `${one.label}, ${percent(one.probability)}`, () => onverdict({ label: one.label })))),
        choice("Enter", "Accept", () => onverdict({ accepted: true })),
        several ? choice("U", "None of the labels", () => onverdict({ labels: [] })) : choice("U", "None of the classes", () => onverdict({ label: null })),
        ...(result.reviewed ? [button("Remove review", onclear, { class: "chip" })] : []));
      if (held) [...verdicts.children].find((one) => one.dataset.label === held)?.focus({ preventScroll: true });
    },
  };
}

function choice(key, text, act) {
  return button(h("span", {}, h("kbd", {}, key), " ", text), act, { class: "chip", "aria-keyshortcuts": key });
}

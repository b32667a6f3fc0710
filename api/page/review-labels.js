// The labels of the answers under review as chips: each is accepted or refused by itself.

import { behind, chipText, whyOf } from "./chips.js";
import { button, h } from "./element.js";
import { adding, removing } from "./verdicts.js";

const NUMBERED = 9; // chips that have a key
const MOST = 24; // chips shown

/**
 * @param {any} job
 * @param {{chosen: () => any[], onverdict: (verdict: any) => void}} options `chosen`: what the next verdict is for
 */
export function reviewLabels(job, { chosen, onverdict }) {
  const toggle = (label) => {
    const results = chosen();
    if (!results.length) return;
    onverdict(results.every((one) => one.final_labels.includes(label)) ? removing(label, results) : adding(label));
  };
  return {
    /** Give the label of the n-th chip, or take it away; `result` is the current answer. */
    toggleAt(result, n) {
      const entry = result && entriesOf(result, chosen())[n];
      if (entry) toggle(entry.label);
    },
    /** The chips of the current answer; `why` shows the examples behind the one that has the focus. */
    chips(result, why) {
      const results = chosen();
      return entriesOf(result, results).map((entry, n) => {
        const has = results.filter((one) => one.final_labels.includes(entry.label)).length;
        const show = () => why.replaceChildren(...behind(job, entry, result));
        const key = n < NUMBERED && h("kbd", {}, String(n + 1));
        return button(h("span", {}, key, key && " ", chipText({ ...entry, decision: has ? "yes" : entry.decision }), results.length > 1 && ` ${has} of ${results.length}`), () => { show(); toggle(entry.label); }, {
          class: `chip ${!has && entry.decision === "unsure" ? "unsure" : ""}`, "data-label": entry.label, onfocus: show,
          "aria-pressed": has === 0 ? "false" : has === results.length ? "true" : "mixed", "aria-keyshortcuts": n < NUMBERED && String(n + 1),
        });
      });
    },
    /** The examples behind the best label of an answer. */
    why: (result) => whyOf(job, result),
  };
}

// The candidates keep their places while labels come and go, so that a key always means the same label.
function entriesOf(result, results) {
  const found = new Map();
  for (const one of [...result.candidates ?? [], ...result.labels]) found.set(one.label, { ...found.get(one.label), ...one });
  const others = new Map();
  for (const one of [result, ...results]) for (const label of one.final_labels) if (!found.has(label)) others.set(label, (others.get(label) ?? 0) + 1);
  const more = [...others].sort(([, one], [, other]) => other - one).map(([label]) => ({ label }));
  return [...found.values(), ...more].slice(0, MOST);
}

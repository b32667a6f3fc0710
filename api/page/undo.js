// Undo: reversible actions are undone by their opposite, irreversible ones wait 10 seconds first.

import { button, h } from "./element.js";
import { complain, say, toast } from "./messages.js";

const WAIT_MS = 10_000;
const waiting = new Map();

/** Report an action and offer to undo it. */
export function done(text, undo) {
  offer(text, undo, () => {});
}

/**
 * Do something irreversible, after a delay in which it can be cancelled.
 * @param {string[]} names what is hidden meanwhile; see `isGoing`
 * @param {string} text
 * @param {(keepalive: boolean) => Promise<any>} act
 */
export function later(names, text, act) {
  const leave = () => names.forEach((name) => waiting.delete(name));
  const go = async (keepalive = false) => {
    if (!waiting.has(names[0])) return;
    leave();
    close();
    await act(keepalive).catch(complain);
    changed();
  };
  for (const name of names) waiting.set(name, go);
  const close = offer(text, leave, go);
  changed();
}

/** Whether something is waiting to be deleted. */
export function isGoing(name) {
  return waiting.has(name);
}

/** What the supports of a class are called while they wait to be gone, each with its number after it. */
export function supportsName(collection, label) {
  return `${collection}#${label}#`;
}

/** How many pictures wait to be deleted: of a collection (`c#`), or of a class (`c#label#`). */
export function goingAmong(name) {
  const ofClass = name.indexOf("#") < name.length - 1;
  const going = [...waiting.keys()].filter((one) => one.startsWith(name) && (!ofClass || /^\d+$/.test(one.slice(name.length))));
  return new Set(going.map((one) => one.slice(one.lastIndexOf("#")))).size; // a picture of several labels waits once for each
}

/** Do everything that waits now, so that the next call finds it done. */
export async function settle(keepalive = false) {
  await Promise.all([...waiting.values()].map((go) => go(keepalive)));
}

addEventListener("pagehide", () => settle(true));

function offer(text, undo, end) {
  const close = () => { clearTimeout(timer); shown.remove(); };
  const again = button("Undo", async () => {
    close();
    try {
      await undo();
      say("Undone");
    } catch (error) {
      complain(error);
    }
    changed();
  });
  const shown = toast(h("span", {}, text), again);
  const start = () => setTimeout(() => { close(); end(); }, WAIT_MS);
  let timer = start();
  for (const stop of ["pointerenter", "focusin"]) shown.addEventListener(stop, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"]) shown.addEventListener(go, () => { clearTimeout(timer); timer = start(); });
  say(`${text}. You can undo this for 10 seconds.`);
  return close;
}

/** Tell every view to refresh. */
export function changed() {
  document.dispatchEvent(new Event("changed"));
}

// Second thoughts: what was done can be undone for a while, and what cannot be undone waits that while.

import { button, h } from "./element.js";
import { complain, say, toast } from "./tell.js";

const WAIT_MS = 10_000;
const waiting = new Map();

/** Tell what was done, and offer to undo it. */
export function done(text, undo) {
  offer(text, undo, () => {});
}

/**
 * Do something that has no way back, but only after a while in which one may think again.
 * @param {string[]} names what must not be shown meanwhile, as `isGoing` is asked
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

/** Whether something waits to be gone. */
export function isGoing(name) {
  return waiting.has(name);
}

/** Do now what waits: what comes next must find it done. */
export async function settle(keepalive = false) {
  await Promise.all([...waiting.values()].map((go) => go(keepalive)));
}

addEventListener("pagehide", () => settle(true));

function offer(text, undo, end) {
  const close = () => { clearTimeout(timer); told.remove(); };
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
  const told = toast(h("span", {}, text), again);
  const start = () => setTimeout(() => { close(); end(); }, WAIT_MS);
  let timer = start();
  for (const stop of ["pointerenter", "focusin"]) told.addEventListener(stop, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"]) told.addEventListener(go, () => { clearTimeout(timer); timer = start(); });
  say(`${text}. Undo is offered for 10 seconds.`);
  return close;
}

/** Let every view look again. */
export function changed() {
  document.dispatchEvent(new Event("changed"));
}

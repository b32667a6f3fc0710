// What happens, told to everyone: in a live region, and problems where they can be read.

import { button, h } from "./element.js";

/** Say something to those who listen rather than look. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/**
 * A problem as its own text, with what to do about it.
 * @param {any} error
 * @param {(() => void) | null} [again] what "Try again" does, where that may help
 */
export function problem(error, again = null) {
  const ours = error.title !== undefined;
  return h("div", { class: "problem", role: "alert" },
    h("strong", {}, ours ? error.title : "Something in this page went wrong"), " ",
    h("span", {}, sentence(ours ? error.message : `${error.message}. Load the page again.`)),
    again && button("Try again", again));
}

/** The problem object of one item: told where it stands, and not called out. */
export function itemProblem({ title, detail }) {
  return h("div", { class: "problem" }, h("strong", {}, title), " ", h("span", {}, sentence(detail)));
}

/** Something at the edge of the page, whichever view is open. */
export function toast(...parts) {
  const told = h("div", { class: "toast" }, parts);
  document.getElementById("toasts").append(told);
  return told;
}

/** Tell a problem whose view may be gone. */
export function complain(error) {
  const told = toast(problem(error), button("Close", () => told.remove()));
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

// Messages: announced in a live region, and problems shown where they occur.

import { button, h } from "./element.js";

/** Announce a text to screen readers. */
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
    h("strong", {}, ours ? error.title : "Page error"), " ",
    h("span", {}, sentence(ours ? error.message : `${error.message}. Reload the page.`)),
    again && button("Try again", again));
}

/** The problem object of one item, shown in place and not announced. */
export function itemProblem({ title, detail }) {
  return h("div", { class: "problem" }, h("strong", {}, title), " ", h("span", {}, sentence(detail)));
}

/** A notification at the edge of the page, over any view. */
export function toast(...parts) {
  const shown = h("div", { class: "toast" }, parts);
  document.getElementById("toasts").append(shown);
  return shown;
}

/** Report a problem whose view may be closed. */
export function complain(error) {
  const shown = toast(problem(error), button("Close", () => shown.remove()));
}

function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

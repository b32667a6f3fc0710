// An endless list: loads the next page when its end comes near or the button is pressed.

import { page } from "./api.js";
import { button, h } from "./element.js";
import { problem } from "./messages.js";

/**
 * @param {{path: string, query: any, element: HTMLElement, draw: (item: any) => Node | null, empty: Node, signal: AbortSignal}} what
 */
export function list({ path, query, element, draw, empty, signal }) {
  let cursor = null;
  let loading = Promise.resolve();
  const wrong = h("div");
  const more = button("Show more", () => next(), { class: "more", hidden: true });
  const near = new IntersectionObserver((seen) => { if (seen.at(-1).isIntersecting) next(); }, { rootMargin: "800px" });
  const take = async (after) => {
    const found = await page(path, { ...query, cursor: after }, signal);
    return { drawn: found.items.map(draw).filter(Boolean), after: found.next_cursor };
  };
  const after = (step) => { // one at a time, so that none shows a page twice
    loading = loading.then(step).catch((error) => { if (!signal.aborted) wrong.replaceChildren(problem(error, next)); });
    return loading;
  };
  const show = (next) => {
    cursor = next;
    wrong.replaceChildren();
    more.hidden = !cursor;
    near.unobserve(more);
    if (cursor) near.observe(more);
    made.classList.toggle("empty", !element.childElementCount);
  };
  const next = () => after(async () => {
    if (!cursor) return;
    const found = await take(cursor);
    element.append(...found.drawn);
    show(found.after);
  });
  const refresh = () => after(async () => { // as far as it was shown, to keep the scroll position
    const wanted = element.childElementCount;
    const all = [];
    let found = { after: null };
    do {
      found = await take(found.after);
      all.push(...found.drawn);
    } while (found.after && all.length < wanted);
    element.replaceChildren(...all);
    show(found.after);
  });
  const made = h("div", { class: "list" }, element, wrong, more, h("div", { class: "nothing" }, empty));
  made.refresh = refresh;
  signal.addEventListener("abort", () => near.disconnect());
  refresh();
  return made;
}

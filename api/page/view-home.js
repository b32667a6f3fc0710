// The first page: collections, and how to make one.

import { call, pathOf } from "./api.js";
import { button, count, h } from "./element.js";
import { list } from "./list.js";
import { problem } from "./tell.js";
import { isGoing, later } from "./undo.js";

export function homeView(_, signal) {
  const whole = list({
    path: "/v1/collections", query: { limit: 100 }, element: h("ul", { class: "rows" }), signal,
    draw: (one) => (isGoing(one.name) ? null : row(one)),
    empty: h("div", { class: "hello" },
      h("p", {}, "Show it a few pictures of each thing you care about. From then on it names them in new pictures, says how sure it is, and shows the examples that decided it."),
      h("ol", {}, h("li", {}, "Make a collection below: it holds what belongs together."), h("li", {}, "Drop a few pictures of each thing."), h("li", {}, "Drop a new picture and see."))),
  });
  document.addEventListener("changed", () => whole.refresh(), { signal });
  return { title: "Collections", parts: [whole, maker()] };
}

function row(one) {
  return h("li", { class: "row spread" },
    h("div", {}, h("a", { class: "lead", href: `#/c/${one.name}` }, one.name),
      h("p", { class: "quiet" }, `${count(one.classes, "class", "classes")}, ${count(one.supports, "picture")}, encoder ${one.encoder}`)),
    button("Delete", () => {
      later([one.name], `Collection ${one.name} deleted`, (keepalive) => call("DELETE", pathOf(one.name), { keepalive }));
    }, { class: "small", "aria-label": `Delete collection ${one.name}` }));
}

function maker() {
  const name = h("input", { id: "name", required: true, maxlength: 63, value: "my-things", autocomplete: "off", spellcheck: "false", "aria-describedby": "name-help" });
  const views = h("select", { id: "views" },
    h("option", { value: "1" }, "once (fastest)"), h("option", { value: "flip" }, "also mirrored"), h("option", { value: "full" }, "also mirrored and cropped (slowest, best)"));
  const encoder = h("input", { id: "encoder", placeholder: "the service's own", autocomplete: "off", spellcheck: "false" });
  const wrong = h("div");
  const form = h("form", { class: "panel maker" },
    h("h2", {}, "New collection"),
    h("div", { class: "field" }, h("label", { for: "name" }, "Name"), name, h("button", { class: "primary" }, "Make it")),
    h("p", { class: "quiet", id: "name-help" }, "Small letters, digits, - and _."),
    h("details", {}, h("summary", {}, "More"),
      h("div", { class: "field" }, h("label", { for: "views" }, "Look at each picture"), views),
      h("div", { class: "field" }, h("label", { for: "encoder" }, "Encoder"), encoder)),
    wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const slug = name.value.trim().toLowerCase().replace(/\s+/g, "-");
    try {
      await call("POST", "/v1/collections", { json: { name: slug, views: views.value, ...(encoder.value.trim() && { encoder: encoder.value.trim() }) } });
      location.hash = `#/c/${slug}`;
    } catch (error) {
      wrong.replaceChildren(problem(error));
      name.focus();
    }
  });
  return form;
}

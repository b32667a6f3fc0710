// The start view: all collections, and a form to create one.

import { call, pathOf } from "./api.js";
import { button, count, h } from "./element.js";
import { list } from "./list.js";
import { problem } from "./messages.js";
import { nameField } from "./name-field.js";
import { isGoing, later } from "./undo.js";

export function homeView(_, signal) {
  const collections = list({
    path: "/v1/collections", query: { limit: 100 }, element: h("ul", { class: "rows" }), signal,
    draw: (one) => (isGoing(one.name) ? null : row(one)),
    empty: h("div", { class: "hello" },
      h("p", {}, "Add a few pictures of each class. Exemplar then recognises these classes in new pictures, gives its confidence, and shows the examples behind each answer."),
      h("ol", {}, h("li", {}, "Create a collection below."), h("li", {}, "Drop a few example pictures of each class."), h("li", {}, "Drop a new picture to classify it."))),
  });
  document.addEventListener("changed", () => collections.refresh(), { signal });
  return { title: "Collections", parts: [collections, maker(signal)] };
}

function row(one) {
  return h("li", { class: "row spread" },
    h("div", {}, h("a", { class: "lead", href: `#/c/${one.name}` }, one.name),
      h("p", { class: "quiet" }, `${count(one.classes, "class", "classes")}, ${count(one.supports, "picture")}, ${one.labels === "many" ? "several labels a picture, " : ""}encoder ${one.encoder}`)),
    button("Delete", () => {
      later([one.name], `Collection ${one.name} deleted`, (keepalive) => call("DELETE", pathOf(one.name), { keepalive }));
    }, { class: "small", "aria-label": `Delete collection ${one.name}` }));
}

function maker(signal) {
  const views = h("select", { id: "views", onchange: () => { if (views.value === "tiles") labels.value = "many"; } },
    h("option", { value: "1" }, "1: the whole picture (fastest)"), h("option", { value: "flip" }, "flip: plus mirror image"), h("option", { value: "full" }, "full: plus mirror image and centre crop (slowest, most accurate)"),
    h("option", { value: "tiles" }, "tiles: parts too, for small things (several labels; six times the work)"));
  const labels = h("select", { id: "labels" }, h("option", { value: "one" }, "one"), h("option", { value: "many" }, "several"));
  const encoder = h("div");
  let chosen = null; // the service's default until another one is chosen
  const offer = async () => { try { chosen ??= await (await import("./encoder-field.js")).encoderField("encoder", signal); encoder.replaceChildren(chosen.element); } catch (error) { encoder.replaceChildren(problem(error, offer)); } };
  const wrong = h("div");
  const name = nameField("Create", "my-things", () => wrong.replaceChildren());
  const form = h("form", { class: "panel maker" },
    h("h2", {}, "New collection"),
    name.element,
    h("details", { ontoggle: () => chosen ?? offer() }, h("summary", {}, "Options"),
      h("div", { class: "field" }, h("label", { for: "views" }, "Views"), views),
      h("div", { class: "field" }, h("label", { for: "labels" }, "Labels of a picture"), labels), encoder),
    wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const slug = name.value();
    try {
      await call("POST", "/v1/collections", { json: { name: slug, views: views.value, labels: labels.value, ...(chosen && { encoder: chosen.value() }) } });
      location.hash = `#/c/${slug}`;
    } catch (error) {
      wrong.replaceChildren(problem(error));
      name.focus();
    }
  });
  return form;
}

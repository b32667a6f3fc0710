// One class: its pictures and actions. Without a label: all pictures of the collection.

import { call, pathOf } from "./api.js";
import { button, count, h } from "./element.js";
import { labelForm, labelList } from "./label-field.js";
import { supportGrid } from "./support-grid.js";
import { problem } from "./messages.js";
import { done, goingAmong, later, settle, supportsName } from "./undo.js";
import { goingName } from "./view-collection.js";

export async function classView({ collection, label }, signal) {
  const [found, several] = await Promise.all([call("GET", pathOf(collection, "classes", label), { signal }), severalOf(collection, signal)]);
  const number = h("span");
  const show = (now) => { number.textContent = count(now.supports - goingAmong(supportsName(collection, label)), "picture"); };
  show(found);
  document.addEventListener("changed", async () => show(await call("GET", pathOf(collection, "classes", label), { signal }).catch(() => found)), { signal });
  return {
    title: label, collection, tab: "class",
    parts: [
      h("p", { class: "quiet" }, number, found.kind === "negative" && ", background: pictures that match this class are not recognised"),
      actions(collection, found, signal, several), supportGrid(collection, label, signal, several),
    ],
  };
}

export async function picturesView({ collection }, signal) {
  const several = await severalOf(collection, signal);
  const waiting = await (await import("./view-quarantine.js")).waitingLink(collection, signal);
  return { title: "All pictures", collection, tab: "pictures", parts: [waiting, supportGrid(collection, null, signal, several)] };
}

// What shows and changes labels where a picture may have several, or null.
async function severalOf(collection, signal) {
  const { labels } = await call("GET", pathOf(collection), { signal });
  return labels === "many" ? import("./support-labels.js") : null;
}

function actions(collection, { label, kind }, signal, several) {
  const path = pathOf(collection, "classes", label);
  const names = labelList(collection, signal);
  const place = h("div", { class: "stage" });
  const wrong = h("div");
  const attempt = async (act) => {
    wrong.replaceChildren(); // the form stays, with what was typed
    try {
      await act();
    } catch (error) {
      wrong.replaceChildren(problem(error));
    }
  };
  const ask = (form) => { wrong.replaceChildren(); place.replaceChildren(form); form.field.focus(); form.field.select(); };
  const rename = () => ask(labelForm({ name: "New name", action: "Rename", value: label, any: true, onlabel: (to) => attempt(async () => {
    await settle();
    await call("PATCH", path, { json: { label: to } });
    go(collection, to);
    done(`${label} is now ${to}`, async () => {
      await call("PATCH", pathOf(collection, "classes", to), { json: { label } });
      go(collection, label);
    });
  }) }));
  const merge = () => ask(labelForm({ name: "Merge into", action: "Merge", list: names, any: true, placeholder: "target class", onlabel: (into) => attempt(async () => {
    await settle();
    await call("GET", pathOf(collection, "classes", into)); // report a typo now, not after the undo period
    if (into === label) throw { title: "Cannot merge", message: "choose a different class" };
    later([goingName(collection, label)], `${label} merged into ${into}`, (keepalive) =>
      call("POST", `${pathOf(collection, "classes", into)}/merge`, { json: { from: [label] }, keepalive }));
    location.hash = `#/c/${collection}`;
  }) }));
  const remove = () => {
    later([goingName(collection, label)], `${label} deleted`, (keepalive) => call("DELETE", path, { keepalive }));
    location.hash = `#/c/${collection}`;
  };
  const toggle = () => attempt(async () => {
    const other = kind === "negative" ? "normal" : "negative";
    await call("PATCH", path, { json: { kind: other } });
    dispatchEvent(new Event("hashchange"));
    done(other === "negative" ? `${label} is now background` : `${label} is used again`, async () => {
      await call("PATCH", path, { json: { kind } });
      dispatchEvent(new Event("hashchange"));
    });
  });
  return h("div", { class: "stage" }, h("div", { class: "row" }, button("Rename", rename), button("Merge into…", merge),
    several ? [] : button(kind === "negative" ? "Use again" : "Treat as background", toggle), button("Delete", remove, { class: "danger" })), place, wrong, names);
}

function go(collection, label) {
  location.hash = `#/c/${collection}/class/${encodeURIComponent(label)}`;
}

// The settings of a collection: how it decides, its encoder, its export, and who may use it.

import { call, file, pathOf } from "./api.js";
import { save } from "./download.js";
import { button, count, h } from "./element.js";
import { encoderField } from "./encoder-field.js";
import { problem } from "./messages.js";
import { nameField } from "./name-field.js";
import { keysPanel } from "./settings-keys.js";
import { done } from "./undo.js";
import { pause } from "./watch.js";

const RULES = [["auto", "auto: kernel while that is fast enough, then ridge"], ["kernel", "kernel"], ["ridge", "ridge"],
  ["prototype", "prototype: the mean of each class"], ["neighbours", "neighbours: a vote of the nearest"], ["nearest", "nearest: the one most similar"]];
const SHARES = [
  ["certainty", "Certainty", 0, 1, "An answer less probable than this is “not sure”."],
  ["false_reject", "Rejected by mistake", 0, 0.5, "The share of pictures of known classes that may be “not recognised”; 0 recognises everything."],
  ["coverage", "Coverage of candidate sets", 0.5, 0.99, "How often the candidate set contains the true class."],
];
const SEVERAL = [SHARES[1], ["precision", "Precision", 0.5, 0.99, "For the aim “precision”: the share of right labels among those given."]]; // where a picture may have several labels
const AIMS = [["f1", "best F1: few wrong and few missing labels"], ["precision", "precision: few wrong labels"]];
const AGAIN_MS = 2000;

export async function settingsView({ collection }, signal) {
  const found = await call("GET", pathOf(collection), { signal });
  return {
    title: "Settings", collection, tab: "settings",
    parts: [rename(found), decisions(found), await encoder(found, signal), exports(found, signal), await keysPanel(found.name, signal)],
  };
}

function rename(found) {
  const wrong = h("div");
  const name = nameField("Rename", found.name, () => wrong.replaceChildren());
  const form = h("form", { class: "panel maker" }, h("h2", {}, "Name"), name.element,
    h("p", { class: "quiet" }, "Its jobs and keys follow. Change programs that use the old name."), wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { name: now } = await call("PATCH", pathOf(found.name), { json: { name: name.value() } });
      location.replace(`#/c/${now}/settings`);
    } catch (error) {
      wrong.replaceChildren(problem(error));
      name.focus();
    }
  });
  return form;
}

function decisions(found) {
  const wrong = h("div");
  const many = found.labels === "many";
  const aim = h("select", { id: "aim" }, AIMS.map(([value, text]) => h("option", { value, selected: value === found.rule.aim }, text)));
  const rule = h("select", { id: "rule" }, (many ? RULES.slice(0, 3) : RULES).map(([value, text]) => h("option", { value, selected: value === found.rule.name }, text)));
  const fields = (many ? SEVERAL : SHARES).map(([name, text, min, max, help]) => {
    const input = h("input", { id: name, type: "number", min: min * 100, max: max * 100, step: "any", required: true, value: String(+(found.rule[name] * 100).toFixed(4)), "aria-describedby": `${name}-help` });
    return [name, input, h("div", {}, h("div", { class: "field" }, h("label", { for: name }, `${text}, %`), input), h("p", { class: "quiet", id: `${name}-help` }, help))];
  });
  const put = (rule) => call("PATCH", pathOf(found.name), { json: { rule } });
  const form = h("form", { class: "panel maker stacked" }, h("h2", {}, "Decisions"), h("div", { class: "field" }, h("label", { for: "rule" }, "Rule"), rule),
    many && h("div", { class: "field" }, h("label", { for: "aim" }, "Aim"), aim),
    fields.map(([, , row]) => row), h("div", { class: "row" }, h("button", { class: "primary" }, "Save")),
    h("p", { class: "quiet" }, "Used from the next answer on. To apply it to earlier answers, ask them again in their review."), wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.replaceChildren();
    const before = found.rule;
    try {
      found = await put({ name: rule.value, ...(many && { aim: aim.value }), ...Object.fromEntries(fields.map(([name, input]) => [name, Number(input.value) / 100])) });
      done("Rule saved", async () => { found = await put(before); dispatchEvent(new Event("hashchange")); });
    } catch (error) {
      wrong.replaceChildren(problem(error));
    }
  });
  return form;
}

async function encoder(found, signal) {
  const path = pathOf(found.name, "reindex");
  const field = await encoderField("encoder", signal, found.encoder);
  const state = h("div", { class: "stage" });
  const attempt = async (act) => {
    try {
      await act();
      await show();
    } catch (error) {
      if (!signal.aborted) state.append(problem(error));
    }
  };
  const act = (text, method, to) => button(text, () => attempt(() => call(method, to, method === "POST" ? { json: {} } : {})), { class: "small" });
  const show = async () => {
    const now = await call("GET", path, { signal }).catch((error) => { if (error.code !== "reindex_not_found") throw error; return null; });
    state.replaceChildren();
    if (!now) return;
    state.append(h("p", {}, now.switched ? `Uses ${now.encoder}; the vectors of ${now.other} are kept.` : `${now.embedded} of ${count(now.supports, "picture")} embedded with ${now.other}.`),
      h("div", { class: "row" }, now.switched ? act("Switch back", "POST", `${path}/back`) : act(`Switch to ${now.other}`, "POST", `${path}/switch`),
        act("Discard the other vectors", "DELETE", path)));
    if (now.working) pause(AGAIN_MS, signal).then(() => !signal.aborted && attempt(async () => {}));
  };
  const form = h("form", { class: "row" }, field.element, h("button", {}, "Embed all pictures with it"));
  form.addEventListener("submit", (event) => { event.preventDefault(); attempt(() => call("POST", path, { json: { encoder: field.value() } })); });
  await show();
  return h("section", { class: "panel maker" }, h("h2", {}, "Encoder"), h("p", { class: "quiet" }, "In use: ", h("code", {}, found.encoder)), field.others ? form
    : h("p", { class: "quiet" }, "This service offers no other encoder. Start it with several: ", h("code", {}, "exemplar up --encoders A,B")), state);
}

function exports(found, signal) {
  const wrong = h("div");
  const pictures = h("input", { type: "checkbox", id: "with-pictures" });
  const get = button("Export", async () => {
    wrong.replaceChildren();
    get.disabled = true;
    try {
      save(await file(`${pathOf(found.name, "export")}?pictures=${pictures.checked}`, "application/zip", signal), `${found.name}.zip`);
    } catch (error) {
      if (!signal.aborted) wrong.replaceChildren(problem(error));
    }
    get.disabled = false;
  });
  return h("section", { class: "panel maker" }, h("h2", {}, "Export"), h("p", { class: "quiet" }, `One file with the vectors and labels of ${count(found.supports, "picture")}. Very large collections: exemplar export ${found.name}.`),
    h("div", { class: "row" }, pictures, h("label", { for: "with-pictures" }, "with the pictures"), get), wrong);
}

// The keys that may use a collection: listed, created and revoked with an admin key.

import { call } from "./api.js";
import { button, h } from "./element.js";
import { key } from "./key.js";
import { problem } from "./messages.js";
import { isGoing, later } from "./undo.js";

const ALLOWED = [
  [["classify"], "classify and read"], [["classify", "contribute"], "also contribute examples, for you to accept"],
  [["classify", "enroll"], "also add and change examples"],
];

export async function keysPanel(collection, signal) {
  const section = h("section", { class: "panel maker note" });
  const show = async () => {
    let found = null;
    try {
      found = key() && (await call("GET", "/v1/keys", { signal })).items;
    } catch (error) {
      if (error.status !== 403) throw error; // not an admin's key
    }
    section.replaceChildren(h("h2", {}, "Keys"), ...(found ? manage(collection, found, show) : commands(collection)));
  };
  await show();
  document.addEventListener("changed", () => show().catch((error) => signal.aborted || section.append(problem(error))), { signal });
  return section;
}

function commands(collection) {
  const command = (text, line) => h("li", {}, text, " ", h("code", {}, line));
  return [h("p", {}, "With an admin key you can manage keys here. Create the first one where the service runs; from then on every call needs a key."),
    h("ul", {}, command("An admin key:", "exemplar keys create NAME"), command("A key for this collection:", `exemplar keys create NAME --collection ${collection}`))];
}

function manage(collection, found, show) {
  const active = found.filter((one) => !one.revoked && !isGoing(`key#${one.id}`) && (one.collections?.includes(collection) ?? true)
    && !(one.expires_at && new Date(one.expires_at) < new Date()));
  const name = h("input", { id: "key-name", required: true, maxlength: 100, autocomplete: "off" });
  const scope = h("select", { id: "key-scope" }, ALLOWED.map(([, text]) => h("option", {}, text)));
  const days = h("input", { id: "key-days", type: "number", min: 1, max: 36500, step: 1, placeholder: "never" });
  const made = h("div", { role: "status" });
  const form = h("form", { class: "row" }, h("div", { class: "field" }, h("label", { for: "key-name" }, "Name"), name),
    h("div", { class: "field" }, h("label", { for: "key-scope" }, "May"), scope),
    h("div", { class: "field" }, h("label", { for: "key-days" }, "Expires after days"), days), h("button", {}, "Create key"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [scopes] = ALLOWED[scope.selectedIndex];
    try {
      const { key: secret } = await call("POST", "/v1/keys", { json: { name: name.value, scopes, collections: [collection], ...(days.value && { days: Number(days.value) }) } });
      await show();
      document.getElementById("new-key").replaceChildren(h("p", {}, "Copy the new key now; it is not shown again."), h("code", { class: "secret" }, secret));
    } catch (error) {
      made.replaceChildren(problem(error));
    }
  });
  made.id = "new-key";
  return [h("p", { class: "quiet" }, "New keys are for this collection only."), h("ul", { class: "rows" }, active.map(row)), form, made];
}

function row(one) {
  const until = one.expires_at ? `, until ${new Date(one.expires_at).toLocaleDateString("en")}` : "";
  const where = one.collections ? (one.collections.length > 1 ? `, ${one.collections.length} collections` : "") : ", all collections";
  return h("li", { class: "row spread" }, h("div", {}, h("strong", {}, one.name), h("p", { class: "quiet" }, `${one.scopes.join(", ")}${where}${until}`)),
    one.yours ? h("span", { class: "quiet" }, "in use here")
      : button("Revoke", () => later([`key#${one.id}`], `Key ${one.name} revoked`, (keepalive) => call("DELETE", `/v1/keys/${one.id}`, { keepalive })), { class: "small", "aria-label": `Revoke key ${one.name}` }));
}

// The forms that try a call, and links that open what they lead to.

const KEY = "exemplar.key"; // as the page keeps it
const field = document.getElementById("key");
field.value = sessionStorage.getItem(KEY) ?? "";
field.addEventListener("change", () => (field.value ? sessionStorage.setItem(KEY, field.value) : sessionStorage.removeItem(KEY)));
field.form.addEventListener("submit", (event) => event.preventDefault());
for (const form of document.querySelectorAll("form")) form.hidden = false;

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form.try");
  if (!form) return;
  event.preventDefault();
  send(form).catch((error) => show(form, `Not sent: ${error.message}`));
});

async function send(form) {
  let path = form.dataset.path.slice(1);
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(input.name, input.value);
  }
  const body = form.elements.body?.value;
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(field.value && { Authorization: `Bearer ${field.value}` }) };
  const address = `${path}${query.size ? `?${query}` : ""}`;
  show(form, "Waiting…");
  const response = await fetch(address, { method: form.dataset.method, headers, body: body || undefined });
  const type = response.headers.get("Content-Type") ?? "";
  const text = /json|text|xml/.test(type) ? await response.text() : `${type}, ${(await response.blob()).size} bytes`;
  show(form, `${form.dataset.method} /${address}\n${response.status} ${response.statusText}\n\n${/json/.test(type) && !/ndjson/.test(type) ? JSON.stringify(JSON.parse(text), null, 2) : text}`);
}

function show(form, text) {
  const shown = document.createElement("pre");
  shown.tabIndex = 0;
  shown.textContent = text;
  form.querySelector("output").replaceChildren(shown);
}

const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
};
addEventListener("hashchange", open);
open();

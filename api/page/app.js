// The page: an address after # is a view; a view stops its requests when the next one opens.

import { h, keepHeight } from "./element.js";
import { forgetKey, key } from "./key.js";
import { problem } from "./messages.js";
import { collectionView } from "./view-collection.js";
import { homeView } from "./view-home.js";

// views that are loaded when they are opened first, so that the page starts with little
const lazy = (load, name) => async (...given) => (await load())[name](...given);
const classes = () => import("./view-class.js");
const jobs = () => import("./view-jobs.js");

const ROUTES = [
  [/^\/?$/, homeView, []],
  [/^\/c\/([^/]+)$/, collectionView, ["collection"]],
  [/^\/c\/([^/]+)\/class\/([^/]+)$/, lazy(classes, "classView"), ["collection", "label"]],
  [/^\/c\/([^/]+)\/pictures$/, lazy(classes, "picturesView"), ["collection"]],
  [/^\/c\/([^/]+)\/report$/, lazy(() => import("./view-report.js"), "reportView"), ["collection"]],
  [/^\/c\/([^/]+)\/drift$/, lazy(() => import("./view-drift.js"), "driftView"), ["collection"]],
  [/^\/c\/([^/]+)\/settings$/, lazy(() => import("./view-settings.js"), "settingsView"), ["collection"]],
  [/^\/c\/([^/]+)\/quarantine$/, lazy(() => import("./view-quarantine.js"), "quarantineView"), ["collection"]],
  [/^\/jobs$/, lazy(jobs, "jobsView"), []],
  [/^\/jobs\/([^/]+)$/, lazy(jobs, "jobView"), ["id"]],
  [/^\/jobs\/([^/]+)\/review$/, lazy(() => import("./view-review.js"), "reviewView"), ["id"]],
];
const TABS = [["Add and classify", ""], ["All pictures", "pictures"], ["Report", "report"], ["Settings", "settings"]];

const main = document.getElementById("main");
let leave = new AbortController();
let first = true;

async function show() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  main.setAttribute("aria-busy", "true");
  let view;
  try {
    view = await find()(signal);
  } catch (error) {
    view = { title: "Something went wrong", parts: [problem(error, show), h("p", {}, h("a", { href: "#/" }, "All collections"))] };
  }
  if (signal.aborted) return;
  main.removeAttribute("aria-busy");
  document.title = view.title === "Collections" ? "Exemplar" : `${view.title} · Exemplar`;
  const title = h("h1", { tabindex: "-1" }, view.title);
  main.classList.toggle("wide", Boolean(view.wide));
  main.replaceChildren(...[trail(view), title, tabs(view), ...view.parts].filter(Boolean));
  main.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest" });
  if (!first) (view.focus ?? title).focus({ preventScroll: true });
  if (!first) scrollTo(0, 0);
  first = false;
}

function find() {
  const [path, query] = location.hash.slice(1).split("?");
  for (const [pattern, view, names] of ROUTES) {
    const match = pattern.exec(path);
    if (!match) continue;
    const named = Object.fromEntries(names.map((name, n) => [name, decodeURIComponent(match[n + 1])]));
    return (signal) => view({ ...named, query: Object.fromEntries(new URLSearchParams(query)) }, signal);
  }
  throw { title: "Page not found", message: "check the address" };
}

function trail({ collection, tab, trail: given }) {
  if (given) return h("nav", { class: "trail", "aria-label": "Breadcrumb" }, given.flatMap(([text, href], n) => [n ? " / " : "", h("a", { href }, text)]));
  if (collection === undefined && tab !== "job") return null;
  const parts = [tab === "job" ? h("a", { href: "#/jobs" }, "Jobs") : h("a", { href: "#/" }, "Collections")];
  if (tab && collection !== undefined) parts.push(" / ", h("a", { href: `#/c/${collection}` }, collection));
  return h("nav", { class: "trail", "aria-label": "Breadcrumb" }, parts);
}

function tabs({ collection, tab }) {
  if (collection === undefined) return null;
  return h("nav", { class: "tabs", "aria-label": "Collection" }, TABS.map(([name, place]) =>
    h("a", { href: `#/c/${collection}${place && `/${place}`}`, "aria-current": tab === place && "page" }, name)));
}

const forget = document.getElementById("forget");
const showKey = () => { forget.hidden = key() === null; };
forget.addEventListener("click", () => { forgetKey(); showKey(); show(); });
document.addEventListener("key", showKey);
addEventListener("hashchange", show);
keepHeight(document.querySelector("header"), "--header");
keepHeight(document.getElementById("toasts"), "--toasts"); // what is fixed or scrolled to stays clear of them
showKey();
show();

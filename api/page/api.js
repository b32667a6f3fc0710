// Calls of the public API, and its problems as one kind of error.

import { askKey, forgetKey, key } from "./key.js";

const AWAY = {
  title: "Service unreachable", code: "away", retry: true,
  detail: "Check that the service is running and that you are connected, then try again.",
};
const TRIES = 4;
const ROOT = new URL(".", document.baseURI).pathname.slice(0, -1); // the prefix of a proxy on a sub-path

/** A problem object (RFC 9457) that was the answer. */
export class Problem extends Error {
  constructor(status, problem, retryAfter = 2) {
    super(problem.detail);
    this.status = status;
    this.title = problem.title;
    this.code = problem.code;
    this.retry = Boolean(problem.retry);
    this.retryAfter = retryAfter;
  }
}

/**
 * Call the API and return its JSON, or null where it answers nothing.
 * @param {string} method
 * @param {string} path under /v1
 * @param {{json?: any, headers?: Record<string, string>, signal?: AbortSignal, keepalive?: boolean}} [options]
 */
export async function call(method, path, options = {}) {
  const response = await answer(method, path, options);
  return response.status === 204 ? null : response.json();
}

/** Call the API and return what it answers as a Blob: a picture, a file. */
export async function file(path, accept, signal) {
  return (await answer("GET", path, { headers: { Accept: accept }, signal })).blob();
}

async function answer(method, path, { json, headers = {}, signal, keepalive }) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const used = key();
  const sent = { ...headers, ...(body && { "Content-Type": "application/json" }) };
  const response = await fetch(addressOf(path), { method, body, signal, keepalive, headers: { ...sent, ...bearer() } })
    .catch((error) => { throw error.name === "AbortError" ? error : new Problem(0, AWAY); });
  if (response.ok) return response;
  const problem = problemOf(response.status, await response.text(), response.headers.get("Retry-After"));
  if (await mayAgain(problem, used, keepalive)) return answer(method, path, { json, headers, signal, keepalive });
  throw problem;
}

/**
 * Send a body that takes its time, and say how far it has come; refused for now, it is sent again.
 * @param {string} path
 * @param {Blob} body
 * @param {{headers?: Record<string, string>, onsent?: (share: number) => void}} options
 */
export async function send(path, body, options = {}) {
  const once = { ...options.headers, "Idempotency-Key": random() };
  for (let left = TRIES; ; left -= 1) {
    const used = key();
    try {
      return await sendOnce(path, body, once, options);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (await mayAgain(error, used)) continue;
      if (!error.retry || left <= 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfter * 1000));
    }
  }
}

// fetch cannot say how much of a body has been sent
function sendOnce(path, body, headers, { onsent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", addressOf(path));
    for (const [name, value] of Object.entries({ ...headers, ...bearer() })) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onsent?.(event.loaded / Math.max(event.total, 1));
    request.onerror = () => reject(new Problem(0, AWAY));
    request.onload = () => {
      const { status, responseText } = request;
      if (status < 300) resolve(JSON.parse(responseText));
      else reject(problemOf(status, responseText, request.getResponseHeader("Retry-After")));
    };
    request.send(body);
  });
}

async function mayAgain(problem, used, silent = false) {
  if (problem.status !== 401 || silent) return false;
  if (key() !== null && key() !== used) return true; // one was given while this call was on its way
  if (problem.code === "key_unknown") forgetKey();
  return askKey(problem.message);
}

function problemOf(status, text, retryAfter) {
  const seconds = Number(retryAfter) || 2;
  try {
    return new Problem(status, JSON.parse(text), seconds);
  } catch {
    return new Problem(status, { ...AWAY, detail: `It answered ${status}. ${AWAY.detail}` }, seconds);
  }
}

function bearer() {
  return key() ? { Authorization: `Bearer ${key()}` } : {};
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("-");
}

/** Where a path of the API is reached; paths in answers may have the prefix already. */
function addressOf(path) {
  return path.startsWith(`${ROOT}/v1/`) ? path : ROOT + path;
}

/** The path of a collection and what is in it. */
export function pathOf(collection, ...rest) {
  return ["/v1/collections", collection, ...rest].map((part, n) => (n ? encodeURIComponent(part) : part)).join("/");
}

/** One page of a list. */
export function page(path, query, signal) {
  const asked = Object.entries(query).filter(([, value]) => value != null);
  return call("GET", `${path}?${new URLSearchParams(asked)}`, { signal });
}

/** Yield what is in a list now, page after page. */
export async function* everything(path, query = {}, signal) {
  let cursor = null;
  for (;;) {
    const found = await page(path, { limit: 1000, ...query, cursor }, signal);
    yield* found.items;
    if (!found.next_cursor || found.next_cursor === cursor) return; // the second: the job is still running
    cursor = found.next_cursor;
  }
}

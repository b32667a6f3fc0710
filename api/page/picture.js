// Small pictures, fetched when they come near: with a header, since a key must not stand in an address.

import { file } from "./api.js";
import { h } from "./element.js";

const AT_ONCE = 4; // of the six connections a browser has: the rest is for calls
// until it comes, so that no browser shows a broken one
const NOTHING = URL.createObjectURL(new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>'], { type: "image/svg+xml" }));
const wanted = new Set();
let running = 0;

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) wanted.add(target);
    else wanted.delete(target); // scrolled past: what is looked at comes first
  }
  pump();
}, { rootMargin: "400px" });

/**
 * An image of the API.
 * @param {string} path
 * @param {string} alt
 */
export function picture(path, alt, properties = {}) {
  const image = h("img", { alt, src: NOTHING, "data-path": path, decoding: "async", ...properties });
  near.observe(image);
  return image;
}

/** A large image, fetched at once; `signal` gives it up. */
export function largePicture(path, alt, signal) {
  const image = h("img", { alt, src: NOTHING, "data-path": path, class: "large" });
  load(image, signal);
  return image;
}

function pump() {
  while (running < AT_ONCE && wanted.size) {
    const [image] = wanted;
    wanted.delete(image);
    near.unobserve(image);
    if (!image.isConnected) continue; // of a view that is gone
    running += 1;
    load(image).finally(() => { running -= 1; pump(); });
  }
}

async function load(image, signal) {
  try {
    const url = URL.createObjectURL(await file(image.dataset.path, "image/*", signal));
    image.onload = image.onerror = () => URL.revokeObjectURL(url);
    image.src = url;
  } catch {
    if (signal?.aborted) return;
    image.classList.add("missing");
    image.removeAttribute("src"); // its text says what it would show
  }
}

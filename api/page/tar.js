// A tar of files (POSIX ustar), put together without reading them: the browser sends each from its place.

const BLOCK = 512;

/**
 * @param {{path: string, content: Blob}[]} files paths of at most 100 ASCII characters
 * @returns {Blob}
 */
export function tar(files) {
  const parts = files.flatMap(({ path, content }) => [header(path, content.size), content, padding(content.size)]);
  return new Blob([...parts, new Uint8Array(2 * BLOCK)], { type: "application/x-tar" });
}

function header(path, size) {
  const block = new Uint8Array(BLOCK);
  const put = (at, text) => block.set(new TextEncoder().encode(text), at);
  put(0, path);
  put(100, "0000644\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${size.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  put(148, "        "); // the checksum counts its own place as blanks
  put(156, "0");
  put(257, "ustar\0" + "00");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

function padding(size) {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

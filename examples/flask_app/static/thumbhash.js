// Decodes a ThumbHash (https://evanw.github.io/thumbhash/) into a small blurred picture: sums of a few
// cosine waves, one sum for luminance, one for each of two colour differences, and one for alpha.

/** A `data:` URL of the picture, `side` pixels on its longer side, in the shape `width : height`. */
export function placeholderUrl(base64, width, height, side = 32) {
  const scale = side / Math.max(width, height);
  const columns = Math.max(1, Math.round(width * scale));
  const rows = Math.max(1, Math.round(height * scale));
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const hash = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const pixels = new ImageData(render(parse(hash), columns, rows), columns, rows);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

/** The waves of each channel: a constant, and terms with their frequency across (u) and down (v). */
function parse(hash) {
  const head = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const tail = hash[3] | (hash[4] << 8);
  const hasAlpha = head >> 23 === 1;
  const landscape = tail >> 15 === 1;
  const longer = hasAlpha ? 5 : 7;
  const across = Math.max(3, landscape ? longer : tail & 7);
  const down = Math.max(3, landscape ? tail & 7 : longer);

  // Every term is a nibble: those of one channel after those of another, row by row in a triangle.
  let nibble = (hasAlpha ? 6 : 5) * 2;
  const channel = (columns, rows, constant, scale) => {
    const terms = [];
    for (let v = 0; v < rows; v++) {
      for (let u = v === 0 ? 1 : 0; u * rows < columns * (rows - v); u++, nibble++) {
        const level = (hash[nibble >> 1] >> ((nibble & 1) * 4)) & 15;
        terms.push({ u, v, weight: 2 * scale * (level / 7.5 - 1) });
      }
    }
    return { constant, terms };
  };
  return {
    l: channel(across, down, (head & 63) / 63, ((head >> 18) & 31) / 31),
    p: channel(3, 3, ((head >> 6) & 63) / 31.5 - 1, (((tail >> 3) & 63) / 63) * 1.25),
    q: channel(3, 3, ((head >> 12) & 63) / 31.5 - 1, (((tail >> 9) & 63) / 63) * 1.25),
    a: hasAlpha ? channel(5, 5, (hash[5] & 15) / 15, (hash[5] >> 4) / 15) : { constant: 1, terms: [] },
  };
}

function render({ l, p, q, a }, columns, rows) {
  const wave = (frequency, at, size) => Math.cos((Math.PI / size) * (at + 0.5) * frequency);
  const value = ({ constant, terms }, x, y) =>
    terms.reduce((sum, { u, v, weight }) => sum + weight * wave(u, x, columns) * wave(v, y, rows), constant);
  const out = new Uint8ClampedArray(columns * rows * 4);
  for (let y = 0, at = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, at += 4) {
      const blue = value(l, x, y) - (2 / 3) * value(p, x, y);
      const red = (3 * value(l, x, y) - blue + value(q, x, y)) / 2;
      out.set([red, red - value(q, x, y), blue, value(a, x, y)].map((part) => Math.round(part * 255)), at);
    }
  }
  return out;
}

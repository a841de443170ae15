// Makes a screenshot small: at most 256 colours, as pages have hardly more, and a slow but good compression.
import { constants, crc32, deflateSync, inflateSync } from 'node:zlib';

const COLOURS_MAX = 256;
const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

/** A PNG of 8 bits a channel, as Chromium writes it, with a palette instead. */
export function small(png) {
  const parts = chunks(png);
  const head = parts.find(([kind]) => kind === 'IHDR')[1];
  const [width, height, depth, type] = [head.readUInt32BE(0), head.readUInt32BE(4), head[8], head[9]];
  const step = { 2: 3, 6: 4 }[type];
  if (depth !== 8 || !step) return png;
  const packed = Buffer.concat(parts.filter(([kind]) => kind === 'IDAT').map(([, body]) => body));
  const pixels = unfiltered(inflateSync(packed), width, height, step);
  for (let lost = 0; ; lost += 1) {
    const buckets = counted(pixels, step, lost);
    if (buckets.size <= COLOURS_MAX) return written(pixels, width, height, step, lost, buckets);
  }
}

function chunks(png) {
  const found = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    found.push([png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, at + 8 + length)]);
    at += length + 12;
  }
  return found;
}

/** The five filters of PNG (ISO 15948, 9.2), undone. */
function unfiltered(lines, width, height, step) {
  const row = width * step;
  const out = Buffer.alloc(row * height);
  for (let y = 0; y < height; y += 1) {
    const filter = lines[y * (row + 1)];
    for (let x = 0; x < row; x += 1) {
      const left = x >= step ? out[y * row + x - step] : 0;
      const up = y > 0 ? out[(y - 1) * row + x] : 0;
      const corner = x >= step && y > 0 ? out[(y - 1) * row + x - step] : 0;
      const add = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      out[y * row + x] = lines[y * (row + 1) + 1 + x] + add;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

const bucket = (pixels, at, lost) => ((pixels[at] >> lost) << 16) | ((pixels[at + 1] >> lost) << 8) | (pixels[at + 2] >> lost);

/** Colours whose lowest bits are not looked at: how often, and their sums. */
function counted(pixels, step, lost) {
  const buckets = new Map();
  for (let at = 0; at < pixels.length; at += step) {
    const name = bucket(pixels, at, lost);
    let one = buckets.get(name);
    if (!one) buckets.set(name, (one = { count: 0, sums: [0, 0, 0] }));
    one.count += 1;
    for (const channel of [0, 1, 2]) one.sums[channel] += pixels[at + channel];
  }
  return buckets;
}

function written(pixels, width, height, step, lost, buckets) {
  const palette = Buffer.alloc(3 * buckets.size);
  [...buckets.values()].forEach((one, number) => {
    one.number = number;
    for (const channel of [0, 1, 2]) palette[3 * number + channel] = Math.round(one.sums[channel] / one.count);
  });
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) lines[y * (width + 1) + 1 + x] = buckets.get(bucket(pixels, (y * width + x) * step, lost)).number;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const packed = deflateSync(lines, { level: 9, memLevel: 9, strategy: constants.Z_DEFAULT_STRATEGY });
  return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('PLTE', palette), chunk('IDAT', packed), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(kind, body) {
  const named = Buffer.concat([Buffer.from(kind, 'latin1'), body]);
  const out = Buffer.alloc(named.length + 8);
  out.writeUInt32BE(body.length, 0);
  named.copy(out, 4);
  out.writeUInt32BE(crc32(named), named.length + 4);
  return out;
}

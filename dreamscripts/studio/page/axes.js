// The axes of a plot: scales from values to shares of 0..1, with few ticks at round numbers.

const ROUND = [1, 2, 2.5, 5, 10];
const WIDE = 30; // where the largest loss is this much larger than a small one, the axis is logarithmic
const FEWEST = 1e-12; // losses below this part of the largest one look like 0

// Return round numbers within lowest..highest, about `count` of them.
export function roundTicks(lowest, highest, count) {
  const range = highest - lowest;
  if (!(range > 0)) return [lowest];
  const least = range / count;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = ROUND.find((factor) => factor * power >= least * 0.999) * power;
  const ticks = [];
  for (let number = Math.ceil(lowest / step - 1e-9); number * step <= highest + step * 1e-9; number += 1) ticks.push(number * step);
  return ticks;
}

// Return the scale of a loss and its terms: `{share(value), ticks}`.
//
// Losses of different octaves differ by orders of magnitude and can be negative. Where they do, the scale is logarithmic
// on both sides of 0 and linear up to a power of ten below `small`, the size of a small loss, as in the command's plots.
export function lossScale(values, small, count) {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const value of values) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  if (!(lowest <= highest)) [lowest, highest] = [0, 1];
  if (lowest === highest) [lowest, highest] = [lowest - (Math.abs(lowest) || 1) / 2, highest + (Math.abs(highest) || 1) / 2];
  const largest = Math.max(Math.abs(lowest), Math.abs(highest));
  if (largest <= WIDE * small) return linear(lowest, highest, count);
  return logarithmic(lowest, highest, 10 ** (Math.floor(Math.log10(Math.max(small, largest * FEWEST))) - 1), count);
}

function linear(lowest, highest, count) {
  const ticks = roundTicks(lowest, highest, count);
  return { share: (value) => (value - lowest) / (highest - lowest), ticks };
}

function logarithmic(lowest, highest, threshold, count) {
  const bend = (value) => {
    const size = Math.abs(value) / threshold;
    return Math.sign(value) * (size <= 1 ? size : 1 + Math.log10(size));
  };
  const bottom = bend(lowest);
  const height = bend(highest) - bottom;
  const ticks = roundTicks(bottom, bottom + height, count)
    .map((share) => Math.round(share))
    .map((share) => (share === 0 ? 0 : Math.sign(share) * threshold * 10 ** (Math.abs(share) - 1)))
    .filter((value, number, all) => all.indexOf(value) === number && value >= lowest && value <= highest);
  return { share: (value) => (bend(value) - bottom) / height, ticks };
}

/** Numbers, times and sizes as words. */

/** Return a number in few characters. */
export function short(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e5 || size < 1e-3) return value.toExponential(size.toExponential().startsWith("1e") ? 0 : 1).replace("e+", "e").replace("-", "−").replace("e-", "e−");
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: false }).replace("-", "−");
}

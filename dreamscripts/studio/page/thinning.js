// Fewer points for the same curve.

// Return the numbers of the rows to draw: at most about `most`, the least and the greatest value of each stretch.
//
// A curve through them looks like the curve through all, peaks included. `values` may have gaps (null).
export function thinned(values, most) {
  if (values.length <= most) return values.map((_, number) => number);
  const kept = new Set([0, values.length - 1]);
  const stretches = Math.max(Math.floor(most / 2), 1);
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    const end = Math.floor(((stretch + 1) * values.length) / stretches);
    let least = -1;
    let greatest = -1;
    for (let number = Math.floor((stretch * values.length) / stretches); number < end; number += 1) {
      if (values[number] === null) continue;
      if (least < 0 || values[number] < values[least]) least = number;
      if (greatest < 0 || values[number] > values[greatest]) greatest = number;
    }
    if (least >= 0) kept.add(least).add(greatest);
  }
  return [...kept].sort((one, other) => one - other);
}

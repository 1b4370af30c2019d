// Numbers, times and sizes as words.

const DAY = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const DAY_AND_YEAR = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const TIME = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

// Return a number in few characters.
export function short(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  const text = size >= 1e5 || size < 1e-3 ? scientific(value) : String(Number(value.toPrecision(3)));
  return text.replaceAll("-", "−");
}

function scientific(value) {
  const [number, exponent] = value.toExponential(1).split("e");
  return `${number.replace(".0", "")}e${exponent.replace("+", "")}`;
}

// Return a number of things with their name: "1 picture", "2 pictures".
export function count(number, name, plural = `${name}s`) {
  return `${number} ${number === 1 ? name : plural}`;
}

export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(size) {
  const unit = size > 0 ? Math.min(Math.floor(Math.log10(size) / 3), UNITS.length - 1) : 0;
  return `${Number((size / 1000 ** unit).toPrecision(2))} ${UNITS[unit]}`;
}

// Return a time of the server, seconds since 1970 or ISO 8601, as a Date.
export function date(time) {
  return new Date(typeof time === "number" ? time * 1000 : time);
}

// Return the day of a time: "Today", "Yesterday", or its date.
export function day(time, now = new Date()) {
  const moment = date(time);
  const days = Math.round((midnight(now) - midnight(moment)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return (moment.getFullYear() === now.getFullYear() ? DAY : DAY_AND_YEAR).format(moment);
}

export function dayAndTime(time) {
  return `${day(time)}, ${TIME.format(date(time))}`;
}

function midnight(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
}

// What a look is called: "bad_trip" is "Bad trip", as in the list of looks.
export function lookTitle(name) {
  const words = name.replace(/[_-]+/g, " ").trim().toLowerCase();
  return words ? words[0].toUpperCase() + words.slice(1) : name;
}

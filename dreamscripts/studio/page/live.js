// The server's events. They are read with fetch, because EventSource cannot send the token.

import { authorization } from "./api.js";

const SILENCE = 12_000; // ms; the server says something every 5 s
const LONGEST_WAIT = 2_000; // ms between two tries

// Call onEvent(name, data) for each event, and onStatus("open" | "away" | "refused"), until the returned function is called.
// A browser opens at most six connections to a server, for all of its tabs: a hidden tab gives up its own as soon as another
// tab of the studio is seen, until it is seen again.
export function listen(onEvent, onStatus) {
  const tabs = new BroadcastChannel("dreamscripts-studio");
  let ended = false;
  let stop = new AbortController();
  let wake = () => {};
  let rests = false;

  async function follow() {
    for (let wait = 250; !ended; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      if (rests) await new Promise((resolve) => (wake = resolve));
      stop = new AbortController();
      try {
        const response = await fetch("/api/events", { headers: authorization(), signal: stop.signal, cache: "no-store" });
        if (response.status === 401 || response.status === 403) return onStatus("refused");
        if (!response.ok) throw new Error(response.statusText);
        onStatus("open");
        wait = 250;
        await read(response.body.getReader(), onEvent, stop);
      } catch {
        // Away, or silent for too long: say so and try again.
      }
      if (ended) return undefined;
      if (rests) continue;
      onStatus("away");
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, wait);
      });
    }
    return undefined;
  }

  const seen = () => {
    if (document.hidden) return;
    rests = false;
    tabs.postMessage("seen");
    wake();
  };
  tabs.onmessage = () => {
    if (!document.hidden) return;
    rests = true;
    stop.abort();
  };
  document.addEventListener("visibilitychange", seen);
  seen();
  follow();
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", seen);
    tabs.close();
    stop.abort();
    wake();
  };
}

async function read(reader, onEvent, stop) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const timer = setTimeout(() => stop.abort(), SILENCE);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true }).replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event) onEvent(event.name, event.data);
    }
  }
}

// One event: {name, data}, or null for a comment (a heartbeat).
export function parse(block) {
  let name = "message";
  const lines = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) lines.push(line.slice(5).trimStart());
  }
  return lines.length ? { name, data: JSON.parse(lines.join("\n")) } : null;
}

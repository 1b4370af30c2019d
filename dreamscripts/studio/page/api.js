// Talking with the server: JSON, with the token, and errors as sentences.

const KEY = "dreamscripts-token";

export class Problem extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

// The address that the command prints ends in #token=…; take it out of the address, so that it is not copied by mistake.
// Anybody can put a link to the studio into a page, so a token that is wrong does not replace the one that is kept.
export async function takeToken() {
  const found = /^#token=([\w-]+)/.exec(location.hash);
  if (!location.hash.startsWith("#token=")) return;
  history.replaceState(null, "", `${location.pathname}#/`);
  if (found && (await isRight(found[1]))) keepToken(found[1]);
}

async function isRight(token) {
  try {
    const options = { method: "HEAD", headers: { Authorization: `Bearer ${token}` }, cache: "no-store" };
    return (await fetch("/api/form", options)).status !== 401;
  } catch {
    return true; // the studio does not answer now
  }
}

export function keepToken(token) {
  localStorage.setItem(KEY, token);
}

export function authorization() {
  return { Authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}` };
}

async function words(response) {
  try {
    return (await response.json()).error;
  } catch {
    return null;
  }
}

async function request(method, path, body) {
  const options = { method, headers: authorization(), cache: "no-store" };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem("The studio does not answer. Is it still running?");
  }
  if (!response.ok) {
    const message = (await words(response)) ?? `The studio could not do that (error ${response.status}).`;
    throw new Problem(message, response.status);
  }
  return response.status === 204 || response.headers.get("content-length") === "0" ? null : response.json();
}

export const api = {
  get: (path) => request("GET", path),
  post: (path, body = {}) => request("POST", path, body),
  put: (path, body = {}) => request("PUT", path, body),
  del: (path) => request("DELETE", path),
  upload(file) {
    const form = new FormData();
    form.append("photo", file, file.name || "pasted.png");
    return request("POST", "/api/photos", form);
  },
};

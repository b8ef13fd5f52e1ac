// The HTTP interface: requests, the one form of errors, and a run's stream that mends itself.

/** What the server refused, in its own words. */
export class Refused extends Error {
  constructor(status, error, retryAfter) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.details = error.details ?? {};
    this.retryAfter = retryAfter;
  }
}

const PAUSES = [250, 500, 1000, 2000, 4000];

/** The JSON of an answer, or null; throws Refused. `signed-out` is heard when the session ended. */
export async function ask(method, path, body, headers = {}) {
  const response = await send(method, path, body, headers);
  return response.status === 204 ? null : await response.json();
}

/** All items of a list, page after page, at most `most`. */
export async function all(path, most = 500) {
  const items = [];
  let cursor = null;
  do {
    const url = new URL(path, location.origin);
    url.searchParams.set("limit", "100");
    if (cursor) url.searchParams.set("cursor", cursor);
    const page = await ask("GET", url.pathname + url.search);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}

export async function send(method, path, body, headers = {}) {
  const raw = body instanceof Blob;
  const options = { method, headers: { ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    options.body = raw ? body : JSON.stringify(body);
    if (!raw) options.headers["Content-Type"] = "application/json";
    else if (body.type) options.headers["Content-Type"] = body.type;
  }
  const response = await fetch(path, options);
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response) {
  let error = { code: "unreadable", message: response.statusText };
  try {
    error = (await response.json()).error ?? error;
  } catch {
    // Not ours: a proxy's page. The status says enough.
  }
  if (response.status === 401 && error.code !== "bad_credentials")
    window.dispatchEvent(new CustomEvent("signed-out", { detail: error.code }));
  return new Refused(response.status, error, Number(response.headers.get("Retry-After")) || null);
}

/** Start a turn and yield its events to the last, through cut connections. */
export async function* chat(room, message, tools, signal) {
  // With its key a request that got lost on the way can be sent again and runs once.
  const key = { "Idempotency-Key": randomKey() };
  const path = `/api/rooms/${room}/chat`;
  const open = () => send("POST", path, { message, tools, stream: true }, key);
  yield* mended(open, signal);
}

/** The events of a run past `after`, to the last. */
export async function* follow(run, after, signal) {
  yield* mended(() => resumed(run, after), signal, run, after);
}

const resumed = (run, after) =>
  send("GET", `/api/runs/${run}/events`, undefined, { "Last-Event-ID": String(after) });

async function* mended(open, signal, run = null, after = 0) {
  let failures = 0;
  let opened = open;
  while (!signal?.aborted) {
    try {
      const response = await opened();
      for await (const event of events(response, signal)) {
        failures = 0;
        after = event.id;
        if (event.name === "run") run = event.data.run_id;
        yield event;
        if (event.name === "done") return;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof Refused && error.status !== 503) throw error;
      if (failures >= PAUSES.length) throw error;
    }
    if (run !== null) opened = () => resumed(run, after);
    await pause(PAUSES[Math.min(failures++, PAUSES.length - 1)]);
  }
}

async function* events(response, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const stop = () => reader.cancel();
  signal?.addEventListener("abort", stop);
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const fields = Object.fromEntries(
          part
            .split("\n")
            .filter((line) => line && !line.startsWith(":"))
            .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        );
        if (fields.event)
          yield { id: Number(fields.id), name: fields.event, data: JSON.parse(fields.data) };
      }
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    reader.cancel().catch(() => {});
  }
}

function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

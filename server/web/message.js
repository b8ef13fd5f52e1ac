// One message as it is shown: who said it, what, with which tools, and what can be done with it.

import { clockTime, h, iconButton } from "./dom.js";
import { rendered } from "./markdown.js";
import { T, language } from "./texts.js";

const RENDERED_WHILE_STREAMING = 20_000;

/** A message's element; `keep(text)` is called when it shall go into the archive. */
export class MessageView {
  #text = "";
  #steps = new Map();
  #waiting = false;

  constructor(role, { key = null, keep = null } = {}) {
    this.role = role;
    this.body = h("div", { class: "body" });
    this.steps = h("div", { class: "steps" });
    this.notes = h("div", { class: "notes" });
    this.when = h("time", {});
    this.box = h("input", { type: "checkbox", "aria-label": T.choose });
    const keeping = keep && iconButton("tag", T.archiveThis, () => keep(this.#text, this.key));
    this.element = h(
      "li",
      { class: `message ${role}` },
      h("div", { class: "who" }, this.box, h("span", {}, role === "user" ? T.you : T.tomato), this.when, keeping),
      this.steps,
      this.body,
      this.notes,
    );
    this.key = key;
    this.keys = key ? [key] : [];
  }

  get text() {
    return this.#text;
  }

  /** A stored message of this turn, whole. */
  show(message) {
    this.keys.push(message.key);
    if (message.role === "tool") {
      this.toolEnded({ id: message.tool_call_id, name: message.tool_name, ok: true, preview: message.content });
      return;
    }
    for (const call of message.tool_calls ?? []) this.toolStarted(call);
    this.key = message.key;
    this.said(message.created_at);
    if (message.content) this.say(message.content);
    if (message.status === "stopped") this.note(T.stopped);
    if (message.status === "failed") this.note(T.failed);
  }

  /** When it was said. */
  said(moment) {
    this.when.dateTime = moment;
    this.when.textContent = clockTime(moment, language);
  }

  /** The whole text, in place of what was there. */
  say(text) {
    this.#text = text;
    this.element.classList.remove("waiting");
    if (this.role === "user") this.body.textContent = text;
    else this.body.replaceChildren(rendered(text));
  }

  /** More of a text that is still being written. */
  add(text) {
    this.#text += text;
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      if (this.#text.length > RENDERED_WHILE_STREAMING) this.body.textContent = this.#text;
      else this.say(this.#text);
    });
  }

  wait() {
    this.element.classList.add("waiting");
    this.body.textContent = T.thinking;
  }

  toolStarted({ id, name, args }) {
    const state = h("span", { class: "state" }, T.tool.working);
    const step = h(
      "details",
      { class: "step working" },
      h("summary", {}, h("code", {}, name), " ", state),
      h("pre", { tabindex: "0" }, JSON.stringify(args, null, 2)),
    );
    this.#steps.set(id, { step, state });
    this.steps.append(step);
  }

  toolEnded({ id, name, ok, preview }) {
    if (!this.#steps.has(id)) this.toolStarted({ id, name, args: {} });
    const { step, state } = this.#steps.get(id);
    step.classList.remove("working");
    step.classList.toggle("failed", !ok);
    state.textContent = ok ? T.tool.ok : T.tool.failed;
    step.append(h("pre", { tabindex: "0" }, preview ?? ""));
  }

  note(text) {
    this.notes.append(h("p", { class: "note" }, text));
  }
}

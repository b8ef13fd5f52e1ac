// The talk of one room: its messages, the answer being written, and the composer.

import { Refused, ask, chat, follow } from "./api.js";
import { announce, clockTime, dialog, h, iconButton } from "./dom.js";
import { icon } from "./icons.js";
import { MessageView } from "./message.js";
import { T, language, said } from "./texts.js";

const TITLE_LOOKS = [500, 1500, 3000, 6000];

export class Talk {
  #room = null;
  #views = [];
  #cursor = null;
  #following = null;
  #run = null;
  #tools = [];
  #chosenTools = null;

  /** `rooms` hears of changes; `keep(text, source)` opens a draft for the archive. */
  constructor({ rooms, keep, failed }) {
    this.rooms = rooms;
    this.keep = keep;
    this.failed = failed;
    this.list = h("ol", { class: "messages", "aria-label": T.messages });
    this.older = h("button", { type: "button", class: "quiet older", onclick: () => this.#loadOlder() }, T.older);
    this.title = h("h1", { tabindex: "-1" });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": T.messages }, this.older, this.list);
    this.choosing = h("div", { class: "choosing", hidden: true });
    this.element = h(
      "main",
      { class: "talk" },
      h(
        "header",
        {},
        this.title,
        iconButton("check", T.choose, () => this.#startChoosing()),
        iconButton("eye", T.context, () => this.#showContext()),
      ),
      this.scroller,
      this.choosing,
      this.#composer(),
    );
  }

  #composer() {
    this.field = h("textarea", {
      id: "message",
      rows: "1",
      maxlength: "32000",
      disabled: true, // until it is known which room it is for
      placeholder: T.messagePlaceholder,
      "aria-label": T.message,
      oninput: () => this.#grow(),
      onkeydown: (event) => {
        // While a Hangul syllable is being composed, Enter ends the syllable, not the message.
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.#send();
      },
    });
    this.toolMenu = h("details", { class: "tools" });
    this.button = h("button", { type: "submit", class: "primary" }, T.send);
    return h(
      "form",
      {
        class: "composer",
        onsubmit: (event) => {
          event.preventDefault();
          if (this.#run) this.#stop();
          else this.#send();
        },
      },
      this.toolMenu,
      this.field,
      this.button,
    );
  }

  async prepare() {
    this.#tools = (await ask("GET", "/api/tools")).items;
    const boxes = this.#tools.map(({ name, description }) =>
      h("label", { title: description }, h("input", { type: "checkbox", value: name, checked: true }), h("code", {}, name)),
    );
    const set = (on) => {
      for (const box of this.toolMenu.querySelectorAll("input")) box.checked = on;
      this.#readTools();
    };
    this.toolMenu.replaceChildren(
      h("summary", { title: T.toolsHint }, icon("tools"), " ", h("span", { class: "word" }, T.tools), " ", (this.toolCount = h("span", { class: "count" }))),
      h(
        "div",
        { class: "menu", onchange: () => this.#readTools() },
        h("p", {}, T.toolsHint),
        ...boxes,
        h(
          "p",
          {},
          h("button", { type: "button", class: "quiet", onclick: () => set(true) }, T.allTools),
          h("button", { type: "button", class: "quiet", onclick: () => set(false) }, T.noTools),
        ),
      ),
    );
  }

  #readTools() {
    const on = [...this.toolMenu.querySelectorAll("input:checked")].map((box) => box.value);
    this.#chosenTools = on.length === this.#tools.length ? null : on;
    this.toolCount.textContent = this.#chosenTools ? `${on.length}/${this.#tools.length}` : "";
  }

  /** Show a room, or with null the place where a new one begins. */
  async open(room) {
    this.#leave();
    this.#room = room;
    this.field.disabled = false;
    this.#views = [];
    this.#cursor = null;
    this.list.replaceChildren();
    this.older.hidden = true;
    this.title.textContent = room?.title ?? T.untitled;
    this.#stopChoosing();
    if (!room) {
      this.#welcome();
      this.field.focus();
      return;
    }
    await this.#loadOlder();
    this.#toEnd();
    if (room.running && this.#room === room) this.#resume(room.running);
  }

  #welcome() {
    const tries = T.tryThese.map((text) =>
      h("button", { type: "button", class: "quiet", onclick: () => this.#send(text) }, text),
    );
    this.list.replaceChildren(
      h("li", { class: "welcome" }, h("img", { src: "/web/tomato.svg", alt: "", width: "72", height: "72" }), h("p", {}, T.welcome), ...tries),
    );
  }

  renamed(room) {
    if (this.#room?.id !== room.id) return;
    Object.assign(this.#room, room);
    this.title.textContent = room.title ?? T.untitled;
  }

  async #loadOlder() {
    const room = this.#room;
    const url = `/api/rooms/${room.id}/messages?limit=60${this.#cursor ? `&cursor=${encodeURIComponent(this.#cursor)}` : ""}`;
    const page = await ask("GET", url);
    if (this.#room !== room) return;
    this.#cursor = page.next_cursor;
    this.older.hidden = !this.#cursor;
    const height = this.scroller.scrollHeight;
    const views = this.#viewsOf(page.items.toReversed());
    this.#views.unshift(...views);
    this.list.prepend(...views.map((view) => view.element));
    this.scroller.scrollTop += this.scroller.scrollHeight - height;
  }

  /** A turn's tool calls and results are shown with its answer. */
  #viewsOf(messages) {
    const views = [];
    let answer = null;
    for (const message of messages) {
      if (message.role === "user") answer = null;
      else answer ??= this.#view("assistant");
      const view = answer ?? this.#view("user");
      view.show(message);
      if (!views.includes(view)) views.push(view);
    }
    return views;
  }

  #view(role) {
    const keep = (text, key) => this.keep(text, key && this.#room ? { room_id: this.#room.id, key } : null);
    return new MessageView(role, { keep });
  }

  #append(view) {
    this.list.querySelector(".welcome")?.remove();
    this.#views.push(view);
    this.list.append(view.element);
    this.#toEnd();
  }

  async #send(given = null) {
    const text = (given ?? this.field.value).trim();
    if (!text || this.#run) return;
    this.#run = "starting";
    this.#show("running");
    try {
      this.#room ??= await this.rooms.create();
      if (given === null) this.field.value = "";
      this.#grow();
      const question = this.#view("user");
      question.say(text);
      question.said(new Date().toISOString());
      this.#append(question);
      await this.#answer((signal) => chat(this.#room.id, text, this.#chosenTools, signal), question, text);
    } catch (error) {
      this.#run = null;
      this.#show("idle");
      this.#refused(error, text);
    }
  }

  #refused(error, text) {
    if (error instanceof Refused && error.code === "room_busy" && error.details.run_id) {
      this.#views.pop()?.element.remove();
      this.field.value = text;
      this.#grow();
      announce(T.running);
      this.#resume(error.details.run_id);
      return;
    }
    if (!this.field.value) this.field.value = text;
    this.#grow();
    const last = this.#views.at(-1);
    if (last?.role === "user" && !last.keys.length) {
      this.#views.pop();
      last.element.remove();
    }
    this.failed(error);
  }

  #resume(run) {
    this.#run = run;
    this.#show("running");
    this.#answer((signal) => follow(run, 0, signal), null, "").catch(this.failed);
  }

  async #answer(open, question, text) {
    const room = this.#room;
    const stop = new AbortController();
    this.#following = stop;
    const answer = this.#view("assistant");
    answer.wait();
    this.#append(answer);
    try {
      for await (const event of open(stop.signal)) {
        if (this.#room !== room) return;
        this.#take(event, question, answer);
      }
    } catch (error) {
      answer.element.remove();
      this.#views = this.#views.filter((view) => view !== answer);
      throw error;
    } finally {
      if (this.#following === stop) {
        this.#run = null;
        this.#following = null;
        this.#show("idle");
      }
    }
    if (text && room.title === null) this.#awaitTitle(room);
  }

  #take({ name, data }, question, answer) {
    const near = this.#isAtEnd();
    if (name === "run") {
      this.#run = data.run_id;
      question?.keys.push(data.user_key);
      if (question) question.key = data.user_key;
    } else if (name === "token") answer.add(data.text);
    else if (name === "tool_start") answer.toolStarted(data);
    else if (name === "tool_end") answer.toolEnded(data);
    else if (name === "notice") answer.note(T.notice[data.kind] ?? data.detail);
    else if (name === "error") answer.note(said(data));
    else if (name === "message") {
      answer.keys.push(data.key);
      answer.key = data.key;
      answer.say(data.content);
      answer.said(new Date().toISOString());
      if (data.status === "stopped") answer.note(T.stopped);
      announce(data.content.slice(0, 500));
    } else if (name === "done") {
      answer.element.classList.remove("waiting");
      if (!answer.text) answer.body.textContent = "";
      this.rooms.touched();
    }
    if (near) this.#toEnd();
  }

  async #awaitTitle(room) {
    for (const look of TITLE_LOOKS) {
      await new Promise((resolve) => setTimeout(resolve, look));
      const now = await ask("GET", `/api/rooms/${room.id}`).catch(() => null);
      if (!now) return;
      if (now.title) {
        this.renamed(now);
        this.rooms.touched();
        return;
      }
    }
  }

  async #stop() {
    if (this.#run === "starting") return;
    await ask("POST", `/api/runs/${this.#run}/cancel`).catch(this.failed);
  }

  #leave() {
    this.#following?.abort();
    this.#following = null;
    this.#run = null;
    this.#show("idle");
  }

  #show(state) {
    const running = state === "running";
    this.button.textContent = running ? T.stop : T.send;
    this.button.classList.toggle("stop", running);
    this.element.setAttribute("aria-busy", String(running));
  }

  #startChoosing() {
    this.list.classList.add("choose");
    this.choosing.hidden = false;
    const count = h("span", {});
    const chosen = () => this.#views.filter((view) => view.box.checked);
    const tell = () => (count.textContent = T.chosen(chosen().length));
    this.list.onchange = tell;
    tell();
    this.choosing.replaceChildren(
      count,
      h("button", { type: "button", class: "danger", onclick: () => this.#delete(chosen()) }, T.deleteChosen),
      h("button", { type: "button", class: "quiet", onclick: () => this.#stopChoosing() }, T.cancel),
    );
    this.#views[0]?.box.focus();
  }

  #stopChoosing() {
    this.list.classList.remove("choose");
    this.choosing.hidden = true;
    for (const view of this.#views) view.box.checked = false;
  }

  async #delete(views) {
    const keys = [...new Set(views.flatMap((view) => view.keys))].slice(0, 100);
    if (!keys.length || !confirm(T.deleteAsk(views.length))) return;
    try {
      const gone = await ask("DELETE", `/api/rooms/${this.#room.id}/messages`, { keys });
      const until = gone.backups_until ? ` ${T.backups(clockTime(gone.backups_until, language))}` : "";
      announce(T.deleted(gone.deleted.length, gone.also_deleted.length) + until);
      const room = await ask("GET", `/api/rooms/${this.#room.id}`);
      await this.open(room);
      this.rooms.touched();
    } catch (error) {
      this.failed(error);
    }
  }

  async #showContext() {
    if (!this.#room) return;
    const seen = await ask("GET", `/api/rooms/${this.#room.id}/context`).catch(this.failed);
    if (!seen) return;
    const total = Object.values(seen.tokens).reduce((sum, part) => sum + part, 0);
    dialog(
      T.context,
      () => [
        h("p", {}, `${T.contextWindow(seen.window.length)}, ${T.tokens(seen.tokens.total ?? total)}`),
        seen.summary && h("h3", {}, T.contextSummary),
        seen.summary && h("blockquote", {}, seen.summary),
        h("h3", {}, T.contextSystem),
        h("pre", { tabindex: "0" }, seen.system),
      ].filter(Boolean),
      { class: "wide", "data-close": T.close },
    );
  }

  #grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, 240)}px`;
  }

  #isAtEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80;
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

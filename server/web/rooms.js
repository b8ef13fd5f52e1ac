// The list of rooms: opened, renamed, deleted, kept in the order of their activity.

import { ask } from "./api.js";
import { clockTime, h, iconButton } from "./dom.js";
import { T, language } from "./texts.js";

export class Rooms {
  #cursor = null;
  #items = [];
  #current = null;

  /** `opened(room)` is told which room is shown, null for a new one; `renamed(room)` of titles. */
  constructor({ opened, renamed, failed }) {
    this.opened = opened;
    this.renamed = renamed;
    this.failed = failed;
    this.list = h("ul", { class: "rooms" });
    this.more = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.#load(true) }, T.more);
    this.element = h(
      "nav",
      { "aria-label": T.rooms },
      h("button", { type: "button", class: "new", onclick: () => this.open(null) }, "+ ", T.newRoom),
      this.list,
      this.more,
    );
  }

  /** Show the room of the address, or at once, before the list is there, the place of a new one. */
  async prepare() {
    const id = location.hash.match(/^#\/rooms\/(\S+)$/)?.[1];
    if (!id) await this.open(null);
    await this.#load().catch(this.failed);
    if (id) await this.open(await this.#find(id));
  }

  async #find(id) {
    return this.#items.find((room) => room.id === id) ?? (await ask("GET", `/api/rooms/${id}`).catch(() => null));
  }

  async create() {
    const room = await ask("POST", "/api/rooms", {});
    this.#current = room.id;
    history.replaceState(null, "", `#/rooms/${room.id}`);
    this.#items.unshift(room);
    this.#draw();
    return room;
  }

  async open(room) {
    this.#current = room?.id ?? null;
    history.replaceState(null, "", room ? `#/rooms/${room.id}` : "#/");
    this.#draw();
    await this.opened(room);
  }

  /** Something happened in a room: look again. */
  touched() {
    this.#load().catch(this.failed);
  }

  async #load(more = false) {
    const cursor = more && this.#cursor ? `&cursor=${encodeURIComponent(this.#cursor)}` : "";
    const page = await ask("GET", `/api/rooms?limit=50${cursor}`);
    this.#cursor = page.next_cursor;
    this.more.hidden = !this.#cursor;
    this.#items = more ? [...this.#items, ...page.items] : page.items;
    const current = this.#items.find((room) => room.id === this.#current);
    if (current) this.renamed(current);
    this.#draw();
  }

  #draw() {
    this.list.replaceChildren(...this.#items.map((room) => this.#row(room)));
    if (!this.#items.length) this.list.replaceChildren(h("li", { class: "empty" }, T.noRooms));
  }

  #row(room) {
    const title = room.title ?? T.untitled;
    const open = async () => this.open(await ask("GET", `/api/rooms/${room.id}`)).catch(this.failed);
    return h(
      "li",
      { class: room.id === this.#current ? "current" : "" },
      h(
        "button",
        { type: "button", class: "room", onclick: open, "aria-current": room.id === this.#current ? "page" : false },
        h("span", { class: "title" }, title),
        h("time", { datetime: room.updated_at }, clockTime(room.updated_at, language)),
      ),
      iconButton("pencil", `${T.rename}: ${title}`, () => this.#rename(room)),
      iconButton("spark", `${T.retitle}: ${title}`, () => this.#retitle(room)),
      iconButton("bin", `${T.deleteRoom}: ${title}`, () => this.#delete(room)),
    );
  }

  async #rename(room) {
    const title = prompt(T.rename, room.title ?? "")?.trim();
    if (!title) return;
    await this.#change(() => ask("PATCH", `/api/rooms/${room.id}`, { title }));
  }

  async #retitle(room) {
    await this.#change(() => ask("POST", `/api/rooms/${room.id}/title`));
  }

  async #change(request) {
    try {
      this.renamed(await request());
      await this.#load();
    } catch (error) {
      this.failed(error);
    }
  }

  async #delete(room) {
    if (!confirm(T.deleteRoomAsk)) return;
    try {
      await ask("DELETE", `/api/rooms/${room.id}`);
      this.#items = this.#items.filter((one) => one.id !== room.id);
      if (this.#current === room.id) await this.open(null);
      else this.#draw();
    } catch (error) {
      this.failed(error);
    }
  }
}

// The archive: found, read, drafted, changed, with its files. Entries look like plant tags.

import { Refused, ask, send } from "./api.js";
import { announce, clockTime, dialog, field, graphemes, h, iconButton } from "./dom.js";
import { icon } from "./icons.js";
import { rendered } from "./markdown.js";
import { T, language, said } from "./texts.js";

const LABEL_MOST = 30;
const TYPING_PAUSE = 200;
const BY_MEANING = "≈";

export class Archive {
  #category = null;
  #categories = [];
  #asked = 0;
  #timer = null;

  constructor({ failed }) {
    this.failed = failed;
    this.field = h("input", {
      type: "search",
      placeholder: T.searchPlaceholder,
      "aria-label": T.search,
      maxlength: "1000",
      oninput: () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.show(), TYPING_PAUSE);
      },
    });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": T.category });
    this.list = h("ul", { class: "tags", "aria-label": T.archive });
    this.names = h("datalist", { id: "categories" });
    this.more = h("button", { type: "button", class: "quiet", hidden: true }, T.more);
    this.element = h(
      "aside",
      { class: "archive", "aria-label": T.archive },
      h("h2", {}, T.archive),
      this.field,
      this.chips,
      this.list,
      this.more,
      this.names,
    );
  }

  /** Look again: the categories, and the entries that are asked for. */
  async show() {
    const asked = ++this.#asked;
    try {
      const [categories, page] = await Promise.all([
        ask("GET", "/api/archive/categories"),
        ask("GET", this.#query(null)),
      ]);
      if (asked !== this.#asked) return;
      this.#categories = categories.items;
      this.#drawChips();
      this.list.replaceChildren();
      this.#drawPage(page);
    } catch (error) {
      this.failed(error);
    }
  }

  #query(cursor) {
    const words = this.field.value.trim();
    const asked = new URLSearchParams({ limit: "30" });
    if (words) asked.set("q", words);
    if (this.#category) asked.set("category", this.#category);
    if (cursor) asked.set("cursor", cursor);
    return `/api/archive?${asked}`;
  }

  #drawChips() {
    const chip = (name, count, on) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(on),
          onclick: () => {
            this.#category = name;
            this.show();
          },
        },
        name ?? T.everything,
        count === null ? null : h("small", {}, ` ${count}`),
      );
    if (!this.#categories.some(({ name }) => name === this.#category)) this.#category = null;
    this.chips.replaceChildren(
      chip(null, null, this.#category === null),
      ...this.#categories.map(({ name, count }) => chip(name, count, name === this.#category)),
    );
    this.names.replaceChildren(...this.#categories.map(({ name }) => h("option", { value: name })));
  }

  #drawPage(page) {
    this.list.append(...page.items.map((item) => this.#tag(item)));
    if (!this.list.children.length) {
      const text = this.field.value.trim() ? T.nothingFound : T.emptyArchive;
      this.list.append(h("li", { class: "empty" }, text));
    }
    this.more.hidden = !page.next_cursor;
    this.more.onclick = async () => {
      const next = await ask("GET", this.#query(page.next_cursor)).catch(this.failed);
      if (next) this.#drawPage(next);
    };
  }

  #tag(item) {
    const found = item.matched?.length
      ? h("p", { class: "matched" }, T.matched, " ", ...item.matched.flatMap((word) => [h("mark", {}, word === BY_MEANING ? T.byMeaning : word), " "]))
      : null;
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "tag", onclick: () => this.read(item.id) },
        h("span", { class: "label" }, ...marked(item.summary, item.matched ?? [])),
        h("span", { class: "more" }, item.category, " · ", clockTime(item.updated_at, language), item.files.length ? [" · ", icon("clip"), String(item.files.length)] : null),
        found,
      ),
    );
  }

  /** Show an entry with all that can be done with it. */
  async read(id) {
    const entry = await ask("GET", `/api/archive/${id}`).catch(this.failed);
    if (!entry) return;
    const shown = dialog(
      entry.summary,
      () => [
        h("p", { class: "more" }, entry.category, " · ", clockTime(entry.created_at, language)),
        h("div", { class: "body" }, rendered(entry.content)),
        this.#files(entry),
        h(
          "p",
          { class: "buttons" },
          h("button", { type: "button", onclick: () => (shown.close(), this.#edit(entry)) }, T.edit),
          h("button", { type: "button", class: "danger", onclick: () => this.#delete(entry, shown) }, T.delete),
        ),
      ],
      { class: "entry", "data-close": T.close },
    );
  }

  #files(entry) {
    const list = h("ul", { class: "files" });
    const at = (name) => `/api/archive/${entry.id}/files/${encodeURIComponent(name)}`;
    const draw = (files) =>
      list.replaceChildren(
        ...files
          .map((file) => file.name ?? file)
          .map((name) =>
            h(
              "li",
              {},
              h("a", { href: at(name), download: name }, icon("clip"), " ", name),
              iconButton("bin", `${T.delete}: ${name}`, async () => {
                if (!confirm(T.deleteFileAsk)) return;
                await ask("DELETE", at(name)).catch(this.failed);
                draw((await ask("GET", `/api/archive/${entry.id}`)).files);
              }),
            ),
          ),
      );
    draw(entry.files);
    const put = async (file) => {
      try {
        await send("PUT", at(file.name), file);
      } catch (error) {
        if (error.code !== "file_exists" || !confirm(T.fileExists)) throw error;
        await send("PUT", `${at(file.name)}?overwrite=true`, file);
      }
    };
    const input = h("input", {
      type: "file",
      multiple: true,
      onchange: async () => {
        try {
          for (const file of input.files) await put(file);
        } catch (error) {
          this.failed(error);
        }
        input.value = "";
        draw((await ask("GET", `/api/archive/${entry.id}`)).files);
        this.show();
      },
    });
    return h("section", {}, h("h3", {}, T.files), list, field(T.addFile, input));
  }

  async #delete(entry, shown) {
    if (!confirm(T.deleteEntryAsk)) return;
    try {
      await ask("DELETE", `/api/archive/${entry.id}`);
      shown.close();
      await this.show();
    } catch (error) {
      this.failed(error);
    }
  }

  /** A draft for a text: the person sees label and category, changes them, and saves, or not. */
  async draft(content, source) {
    let made;
    try {
      made = await ask("POST", "/api/archive/drafts", { content });
    } catch (error) {
      this.failed(error);
      return;
    }
    const hints = made.summarizable ? made.duplicates.map(hint) : [h("p", { class: "hint" }, T.notSummarizable)];
    const first = { summary: made.summary ?? "", category: made.category ?? "", content };
    this.#form(T.draft, first, [h("p", { class: "hint" }, T.draftHint), ...hints], (values) =>
      ask("POST", "/api/archive", { ...values, ...(source ? { source } : {}) }),
    );
  }

  #edit(entry) {
    const match = { "If-Match": `"${entry.version}"` };
    this.#form(T.edit, entry, [], (values) => ask("PATCH", `/api/archive/${entry.id}`, values, match));
  }

  #form(title, { summary, category, content }, hints, save) {
    const label = h("input", { required: true, value: summary, autofocus: true, autocomplete: "off" });
    const left = h("small", { class: "left", "aria-live": "polite" });
    const count = () => {
      const over = LABEL_MOST - graphemes(label.value.trim());
      left.textContent = T.labelLeft(over);
      label.setCustomValidity(over < 0 ? T.labelLeft(over) : "");
    };
    label.oninput = count;
    count();
    const place = h("input", { required: true, value: category, maxlength: "80", list: "categories", autocomplete: "off" });
    const text = h("textarea", { required: true, rows: "8" });
    text.value = content;
    const wrong = h("p", { class: "wrong", role: "alert" });
    const shown = dialog(
      title,
      (box) =>
        h(
          "form",
          {
            class: "tag-form",
            onsubmit: async (event) => {
              event.preventDefault();
              try {
                await save({ summary: label.value.trim(), category: place.value.trim(), content: text.value });
                box.close();
                announce(T.saved);
                await this.show();
              } catch (error) {
                if (!(error instanceof Refused)) this.failed(error);
                wrong.textContent = error instanceof Refused ? said(error) : T.offline;
              }
            },
          },
          ...hints,
          field(T.label, label),
          left,
          field(T.category, place),
          field(T.content, text),
          wrong,
          h(
            "p",
            { class: "buttons" },
            h("button", { type: "submit", class: "primary" }, T.save),
            h("button", { type: "button", class: "quiet", onclick: () => box.close() }, T.cancel),
          ),
        ),
      { class: "entry", "data-close": T.close },
    );
    shown.querySelector("input").select();
  }
}

function hint({ summary, exact }) {
  return h("p", { class: "hint" }, exact ? T.already : T.alike, " ", h("b", {}, summary));
}

/** A text in pieces, the words that matched as marks. */
function marked(text, words) {
  const found = words.filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!found.length) return [text];
  const parts = text.split(new RegExp(`(${found.join("|")})`, "giu"));
  return parts.map((part, number) => (number % 2 ? h("mark", {}, part) : part));
}

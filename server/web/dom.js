// Makes elements; text is always text, never markup.

import { icon } from "./icons.js";

/** An element: `on*` are listeners, true and false switch attributes, the rest are attributes. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button that shows an icon and has its name for those who can't see it. */
export function iconButton(drawn, name, onclick, more = {}) {
  return h(
    "button",
    { type: "button", class: "icon", title: name, "aria-label": name, onclick, ...more },
    icon(drawn),
  );
}

/** A labelled form field. */
export function field(name, control) {
  return h("label", { class: "field" }, h("span", {}, name), control);
}

/** A modal dialog that is taken away when it closes; `fill(dialog)` gives what stands in it. */
export function dialog(title, fill, more = {}) {
  const element = h("dialog", { "aria-label": title, ...more });
  element.append(
    h(
      "header",
      {},
      h("h2", {}, title),
      iconButton("close", more["data-close"] ?? "Close", () => element.close()),
    ),
    ...[fill(element)].flat(),
  );
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

/** Tell it to screen readers. */
export function announce(text) {
  document.getElementById("said").textContent = text;
}

/** What a reader counts as characters. */
export function graphemes(text) {
  return [...new Intl.Segmenter().segment(text)].length;
}

export function clockTime(moment, language) {
  const date = new Date(moment);
  const today = new Date().toDateString() === date.toDateString();
  const style = today ? { timeStyle: "short" } : { dateStyle: "medium" };
  return new Intl.DateTimeFormat(language, style).format(date);
}

// Markdown to safe elements: no scripts, no styles, no images that call elsewhere.

import { marked } from "./vendor/marked.esm.js";

const ALLOWED = {
  ALLOWED_TAGS: [
    ..."p br hr strong em del code pre blockquote ul ol li a".split(" "),
    ..."h1 h2 h3 h4 h5 h6 table thead tbody tr th td".split(" "),
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};

// An image is shown as a link: loading it would tell its host who reads this, and when.
const image = ({ href, text }) =>
  `<a href="${encodeURI(href)}">${text.replace(/[<>&"]/g, "")  || href}</a>`;

marked.use({ gfm: true, breaks: true, renderer: { image } });

/** A fragment of what the text says; a link opens apart and tells nobody where it was. */
export function rendered(text) {
  const fragment = window.DOMPurify.sanitize(marked.parse(text), ALLOWED);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const plain = document.createElement("p");
    plain.className = "heading";
    plain.append(...heading.childNodes);
    heading.replaceWith(plain);
  }
  for (const table of fragment.querySelectorAll("table, pre")) table.tabIndex = 0;
  return fragment;
}

// Puts the page together: who is here, their rooms, the talk, the archive.

import { accountDialog, signInPage } from "./account.js";
import { Refused, ask } from "./api.js";
import { Archive } from "./archive.js";
import { h, iconButton } from "./dom.js";
import { Rooms } from "./rooms.js";
import { Talk } from "./talk.js";
import { T, said } from "./texts.js";

const root = document.getElementById("app");
const SIGNED_OUT = new Set(["session_expired", "not_signed_in", "bad_session"]);
const DRAFT = "tomato.draft";
let page = null;

async function enter() {
  const { user } = await ask("GET", "/api/auth/me");
  page = livingRoom(user);
  root.replaceChildren(page.element);
  await page.prepare();
  page?.restore();
}

function signIn(why = null) {
  page?.leave();
  page = null;
  root.replaceChildren(signInPage(enter, why));
}

function livingRoom(user) {
  const alert = h("p", { class: "alert", role: "alert", hidden: true });
  let hiding = null;
  const failed = (error) => {
    if (error instanceof Refused && SIGNED_OUT.has(error.code)) return;
    alert.textContent = error instanceof Refused ? `${T.wrong} ${said(error)}` : T.offline;
    alert.hidden = false;
    clearTimeout(hiding);
    hiding = setTimeout(() => (alert.hidden = true), 8000);
  };
  const archive = new Archive({ failed });
  const talk = new Talk({
    rooms: { create: () => rooms.create(), touched: () => (rooms.touched(), archive.show()) },
    keep: (text, source) => archive.draft(text, source),
    failed,
  });
  const rooms = new Rooms({
    opened: async (room) => {
      element.removeAttribute("data-open");
      await talk.open(room);
    },
    renamed: (room) => talk.renamed(room),
    failed,
  });
  const toggle = (pane) => () => {
    if (element.dataset.open === pane) element.removeAttribute("data-open");
    else element.dataset.open = pane;
  };
  const element = h(
    "div",
    { class: "house" },
    h("a", { class: "skip", href: "#message", onclick: (event) => (event.preventDefault(), talk.field.focus()) }, T.skip),
    h(
      "header",
      { class: "top" },
      iconButton("menu", T.rooms, toggle("rooms"), { class: "icon narrow" }),
      h("img", { src: "/web/tomato.svg", alt: "", width: "28", height: "28" }),
      h("span", { class: "brand" }, "Tomato"),
      iconButton("tag", T.archive, toggle("archive"), { class: "icon narrow" }),
      iconButton("person", T.account, () => accountDialog(user, signIn, failed)),
    ),
    rooms.element,
    talk.element,
    archive.element,
    alert,
  );
  const seen = () => document.visibilityState === "visible" && rooms.touched();
  document.addEventListener("visibilitychange", seen);
  return {
    element,
    prepare: async () => {
      try {
        await Promise.all([talk.prepare(), archive.show(), rooms.prepare()]);
      } catch (error) {
        failed(error);
      }
    },
    leave: () => document.removeEventListener("visibilitychange", seen),
    draft: () => talk.field.value,
    restore: () => {
      talk.field.value = sessionStorage.getItem(DRAFT) ?? talk.field.value;
      sessionStorage.removeItem(DRAFT);
    },
  };
}

window.addEventListener("signed-out", () => {
  if (page === null) return;
  const draft = page.draft();
  if (draft) sessionStorage.setItem(DRAFT, draft);
  signIn(T.sessionEnded);
});

enter().catch((error) => {
  signIn(error instanceof Refused && error.status === 401 ? null : T.offline);
});

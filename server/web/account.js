// Signing up, in and out, and what a person may do with their account.

import { Refused, ask } from "./api.js";
import { dialog, field, h } from "./dom.js";
import { T, said, switchLanguage } from "./texts.js";

/** The page of who is not signed in; `entered()` is called once they are. */
export function signInPage(entered, why = null) {
  let registering = false;
  const name = h("input", { name: "username", autocomplete: "username", required: true, minlength: "3", maxlength: "32", autofocus: true, autocapitalize: "none", spellcheck: "false" });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true, minlength: "8", maxlength: "128" });
  const wrong = h("p", { class: "wrong", role: "alert" }, why ?? "");
  const button = h("button", { type: "submit", class: "primary" }, T.signIn);
  const other = h("button", { type: "button", class: "quiet", onclick: () => turn() }, T.needAccount);
  const turn = () => {
    registering = !registering;
    button.textContent = registering ? T.signUp : T.signIn;
    other.textContent = registering ? T.haveAccount : T.needAccount;
    password.autocomplete = registering ? "new-password" : "current-password";
    wrong.textContent = "";
  };
  const submit = async (event) => {
    event.preventDefault();
    const given = { username: name.value, password: password.value };
    button.disabled = true;
    try {
      if (registering) await ask("POST", "/api/auth/register", given);
      await ask("POST", "/api/auth/login", given);
      await entered();
    } catch (error) {
      wrong.textContent = error instanceof Refused ? said(error) : T.offline;
    } finally {
      button.disabled = false;
    }
  };
  return h(
    "main",
    { class: "door" },
    h("img", { src: "/web/tomato.svg", alt: "", width: "96", height: "96" }),
    h("h1", {}, "Tomato"),
    h("p", {}, T.tagline),
    h("form", { onsubmit: submit }, field(T.username, name), field(T.password, password), h("small", {}, T.passwordHint), wrong, button, other),
    h("button", { type: "button", class: "quiet", onclick: switchLanguage }, T.language),
  );
}

/** What a signed-in person may do; `left()` is called when they have gone. */
export function accountDialog(user, left, failed) {
  const leave = async (path, shown) => {
    try {
      await ask("POST", path);
      shown.close();
      left();
    } catch (error) {
      failed(error);
    }
  };
  const shown = dialog(
    T.account,
    () => {
      const usage = h("div", { class: "usage" });
      ask("GET", "/api/auth/me/usage").then(
        ({ items }) =>
          usage.replaceChildren(
            h("h3", {}, T.usage),
            ...items.slice(0, 7).map((one) => h("p", {}, T.usageLine(one.day, one.input_tokens, one.output_tokens))),
          ),
        () => usage.remove(),
      );
      const common = [
        h("p", { class: "name" }, isLocal(user) ? T.localUser : user.username),
        usage,
        h("p", {}, h("a", { href: "/api/auth/me/export", download: "tomato-export.zip" }, T.exportAll)),
        h("button", { type: "button", class: "quiet", onclick: switchLanguage }, T.language),
      ];
      if (isLocal(user)) return common;
      return [
        ...common,
        h("button", { type: "button", onclick: () => leave("/api/auth/logout", shown) }, T.signOut),
        h("button", { type: "button", class: "quiet", onclick: () => leave("/api/auth/logout-all", shown) }, T.signOutEverywhere),
        deletion(() => (shown.close(), left())),
      ];
    },
    { "data-close": T.close },
  );
}

// In dev, who does not sign in is this one user.
const isLocal = (user) => user.uid === "local";

function deletion(done) {
  const password = h("input", { type: "password", autocomplete: "current-password", required: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await ask("DELETE", "/api/auth/me", { password: password.value });
      done();
    } catch (error) {
      wrong.textContent = error instanceof Refused ? said(error) : T.offline;
    }
  };
  return h(
    "details",
    { class: "danger-zone" },
    h("summary", {}, T.deleteAccount),
    h("form", { onsubmit: submit }, h("p", {}, T.deleteAccountAsk), field(T.password, password), wrong, h("button", { type: "submit", class: "danger" }, T.deleteAccount)),
  );
}

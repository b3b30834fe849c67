"use strict";
// Everything works without this file: it adds the live view, the keyboard, and buttons that move options.
(() => {
  const live = document.getElementById("live");
  let dirty = false, stale = false, wait = 1000;

  const enhance = (root) => {
    for (const list of root.querySelectorAll("ol.order")) {
      const number = () => {
        let n = 0;
        for (const item of list.children) {
          const input = item.querySelector("input");
          item.classList.toggle("out", input.value === "");
          if (input.value !== "") input.value = ++n;
        }
      };
      for (const item of [...list.children]) {
        const button = (text, label, move) => {
          const b = document.createElement("button");
          b.type = "button"; b.textContent = text; b.setAttribute("aria-label", label);
          b.addEventListener("click", () => { move(); number(); dirty = true; b.focus(); });
          item.append(b);
        };
        const name = item.querySelector("span").textContent;
        button("↑", "Move " + name + " up", () => item.previousElementSibling && item.previousElementSibling.before(item));
        button("↓", "Move " + name + " down", () => item.nextElementSibling && item.nextElementSibling.after(item));
        button("×", "Leave " + name + " out, or take it in again", () => { const i = item.querySelector("input"); i.value = i.value === "" ? "99" : ""; });
      }
    }
  };

  // refresh fetches what the page shows, unless somebody is typing into it.
  const refresh = async () => {
    if (dirty || document.querySelector("dialog[open]") || document.activeElement?.matches("main input, main textarea, main select")) {
      if (!stale && live) {
        stale = true;
        const b = document.createElement("button");
        b.className = "quiet"; b.type = "button"; b.textContent = "Something changed: reload";
        b.addEventListener("click", () => location.reload());
        live.replaceChildren(b);
      }
      return;
    }
    const reply = await fetch(location.pathname + location.search.replace(/([?&])(sent|to)=[^&]*/g, "$1"), { headers: { Accept: "text/html" } }).catch(() => null);
    if (!reply || reply.redirected) return;
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.querySelector("main"), old = document.querySelector("main");
    if (!fresh || dirty) return;
    const at = document.activeElement?.getAttribute?.("href");
    old.replaceWith(document.adoptNode(fresh));
    document.title = page.title;
    enhance(fresh);
    if (at) fresh.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus();
  };

  const connect = () => {
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/live");
    socket.addEventListener("open", () => { if (wait > 1000) refresh(); wait = 1000; });
    socket.addEventListener("message", refresh);
    socket.addEventListener("close", () => { setTimeout(connect, wait); wait = Math.min(wait * 2, 30000); });
  };

  const questions = () => [...document.querySelectorAll(".question")];
  const step = (by) => {
    const all = questions(), now = all.indexOf(document.activeElement);
    all[Math.max(0, Math.min(all.length - 1, now < 0 ? 0 : now + by))]?.focus();
  };

  // pick chooses an option of the question that is being answered: the first without an answer, or the one in focus.
  const pick = (n) => {
    const fields = [...document.querySelectorAll(".field")].filter((f) => f.querySelector(".option"));
    const field = fields.find((f) => f.contains(document.activeElement)) || fields.find((f) => !f.querySelector(":checked")) || fields[0];
    const input = field?.querySelectorAll(".option input")[n - 1];
    if (input) { input.click(); input.focus(); }
  };

  document.addEventListener("input", (e) => { if (e.target.closest("main form")) dirty = true; });
  document.addEventListener("change", (e) => { if (e.target.closest("main form")) dirty = true; });
  document.addEventListener("submit", (e) => {
    dirty = false;
    const send = e.target.querySelector("[data-send]");
    if (send) setTimeout(() => { send.disabled = true; }, 0);
  });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      document.querySelector("form:has([data-send])")?.requestSubmit();
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input:not([type=radio], [type=checkbox]), textarea, select")) return;
    if (e.key === "j" || e.key === "ArrowDown" && questions().length) { step(1); e.preventDefault(); }
    else if (e.key === "k" || e.key === "ArrowUp" && questions().length) { step(-1); e.preventDefault(); }
    else if (e.key >= "1" && e.key <= "9") pick(Number(e.key));
    else if (e.key === "u") location.href = "/";
    else if (e.key === "/") { document.querySelector("input[type=search]")?.focus(); e.preventDefault(); }
    else if (e.key === "?") document.getElementById("keys")?.showModal();
  });

  enhance(document);
  const help = document.getElementById("help");
  if (help) { help.hidden = false; help.addEventListener("click", () => document.getElementById("keys").showModal()); }
  if (live) connect();
})();

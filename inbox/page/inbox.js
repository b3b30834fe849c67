// All that this does can be done without it: sending, choosing an order, loading again.
"use strict";
(() => {
  const find = (query, root = document) => root.querySelector(query);
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const pickable = ".option > input[type=radio], .option > input[type=checkbox], .star > input[type=radio]";
  const begun = new WeakSet(); // regions with something typed or picked that is not sent yet
  const region = (at) => at && at.closest("[data-live]");
  let sending = false;
  let pressed = false; // a click that has not ended
  let missed = false; // an update that came in the middle of one, or of marking text
  let version = document.body.dataset.version;

  const typing = (part) => {
    const at = document.activeElement;
    return begun.has(part) || (part.contains(at) && at.matches("input:not([type=radio]):not([type=checkbox]), textarea, select"));
  };

  // order: buttons in place of numbers
  const number = (list) => all(".place", list).forEach((input, i) => { input.value = i + 1; });
  const arm = (root) => {
    for (const list of all("[data-order]", root)) {
      for (const item of list.children) {
        const place = find(".place", item);
        place.type = "hidden";
        for (const [sign, name, by] of [["↑", "up", -1], ["↓", "down", 1]]) {
          const button = document.createElement("button");
          button.type = "button";
          button.className = "move";
          button.textContent = sign;
          button.setAttribute("aria-label", `Move ${find("label", item).textContent.trim()} ${name}`);
          button.addEventListener("click", () => {
            const other = by < 0 ? item.previousElementSibling : item.nextElementSibling;
            if (!other) return;
            if (by < 0) other.before(item); else other.after(item);
            number(list);
            begun.add(region(list));
            button.focus();
          });
          item.append(button);
        }
      }
    }
    for (const question of all(".question", root)) {
      all(pickable, question).slice(0, 9).forEach((input, i) => {
        const mark = document.createElement("span");
        mark.className = "nth";
        mark.setAttribute("aria-hidden", "true");
        mark.textContent = i + 1;
        input.parentElement.append(mark);
      });
    }
  };

  // items: the question that the keys act on
  let current = -1;
  const items = () => all("[data-item]");
  const select = (index, focus = true) => {
    const list = items();
    if (!list.length) return;
    current = Math.max(0, Math.min(index, list.length - 1));
    list.forEach((item, i) => item.classList.toggle("current", i === current));
    if (!focus) return;
    (find(".cover", list[current]) || list[current]).focus({ preventScroll: true });
    list[current].scrollIntoView({ block: "nearest" });
  };

  const marking = () => {
    const marked = getSelection();
    return !marked.isCollapsed && Boolean(region(marked.anchorNode.parentElement));
  };

  // live: fetch this page again when the server says that it changed
  const replace = (old, fresh) => {
    const at = document.activeElement;
    const focused = old.contains(at) && at.id;
    for (const open of all("details[open][id]", old)) {
      const same = find("#" + open.id, fresh);
      if (same) same.open = true;
    }
    old.replaceWith(fresh);
    arm(fresh);
    const again = focused && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  };
  let busy = false;
  let again = false; // an update that came meanwhile, and that the reply may not have
  const swap = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const reply = await fetch(location.href, { credentials: "same-origin" });
      if (!reply.ok && reply.status !== 404) return;
      const next = new DOMParser().parseFromString(await reply.text(), "text/html");
      if (sending) return;
      missed = pressed || marking();
      if (missed) { if (!pressed) note(); return; }
      let held = false;
      for (const old of all("[data-live]")) {
        const fresh = next.getElementById(old.id);
        if (!fresh) { held = true; continue; }
        if (old.dataset.live && old.dataset.live === fresh.dataset.live) continue; // as it was
        if (typing(old)) held = true; else replace(old, fresh);
      }
      for (const name of ["h1"]) {
        const to = find(name), from = find(name, next);
        if (to && from) to.replaceWith(from);
      }
      if (current >= 0) select(current, false);
      if (held) { note(); return; }
      version = next.body.dataset.version;
      find("#stale").textContent = "";
    } catch {
      // the socket says again when the server is back
    } finally {
      busy = false;
      if (again) { again = false; swap(); }
    }
  };
  const note = () => { const at = find("#stale"); if (at) at.textContent = "Something changed since you began."; };
  let wait = 1000;
  const listen = () => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/live?run=${encodeURIComponent(document.body.dataset.run || "")}`);
    socket.addEventListener("message", (event) => {
      wait = 1000;
      if (JSON.parse(event.data).version === version) return;
      if (all("[data-live]").every(typing)) note(); else swap();
    });
    socket.addEventListener("close", () => {
      setTimeout(listen, wait);
      wait = Math.min(wait * 2, 30000);
    });
  };

  const help = find("#help");
  const opener = find("[data-help]");
  if (opener) {
    opener.hidden = false;
    opener.addEventListener("click", () => help.showModal());
  }
  document.addEventListener("pointerdown", (event) => { pressed = event.button === 0; });
  for (const name of ["pointerup", "pointercancel", "selectionchange"]) {
    document.addEventListener(name, (event) => {
      if (event.type !== "selectionchange") pressed = false;
      if (missed && !pressed && !marking()) { missed = false; setTimeout(swap); } // after the click
    });
  }
  const sends = "form.answers, form.steer";
  document.addEventListener("input", (event) => { if (event.target.closest(sends) && region(event.target)) begun.add(region(event.target)); });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches(sends)) return;
    if (sending) { event.preventDefault(); return; }
    sending = true;
    begun.delete(region(event.target));
  });
  addEventListener("pageshow", (event) => { if (event.persisted) { sending = false; swap(); } });
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = at.closest(sends) || find("form.answers");
      if (form) { event.preventDefault(); form.requestSubmit(); }
      return;
    }
    if (help && help.open) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writes = at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");
    if (event.key === "Escape" && writes) { at.blur(); return; }
    if (writes) return;
    const arrows = !at.matches("input");
    if (event.key === "j" || (arrows && event.key === "ArrowDown")) { event.preventDefault(); select(current + 1); }
    else if (event.key === "k" || (arrows && event.key === "ArrowUp")) { event.preventDefault(); select(current - 1); }
    else if (event.key === "?" && help) { event.preventDefault(); help.showModal(); }
    else if (/^[1-9]$/.test(event.key)) {
      const item = items()[Math.max(current, 0)];
      const option = item && all(pickable, item)[event.key - 1];
      if (option && !option.disabled) { event.preventDefault(); if (current < 0) select(0, false); option.click(); }
    }
  });

  arm(document);
  if (version !== undefined) listen();
})();

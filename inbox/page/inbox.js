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
  // counterpart is the same control or link in another version of its region; undefined where it is gone.
  const counterpart = (at, fresh) => {
    if (at.id) return fresh.id === at.id ? fresh : find("#" + CSS.escape(at.id), fresh);
    const marks = ["name", "value", "href", "aria-label"];
    const same = (one) => marks.every((mark) => one.getAttribute(mark) === at.getAttribute(mark)) && (at.matches("input, a") || one.textContent === at.textContent);
    return all(at.tagName, fresh).find(same);
  };
  const replace = (old, fresh) => {
    const at = document.activeElement;
    const again = old.contains(at) && at !== old && counterpart(at, fresh);
    for (const open of all("details[open][id]", old)) {
      const same = find("#" + open.id, fresh);
      if (same) same.open = true;
    }
    old.replaceWith(fresh);
    arm(fresh);
    if (again) again.focus({ preventScroll: true });
  };
  let busy = false;
  let again = false; // an update that came meanwhile, and that the reply may not have
  const swap = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const reply = await fetch(here(), { credentials: "same-origin" });
      if (!reply.ok && reply.status !== 404 && reply.status !== 410) return;
      const next = new DOMParser().parseFromString(await reply.text(), "text/html");
      if (sending) return;
      missed = pressed || marking();
      if (missed) { if (!pressed) note(); return; }
      let held = false;
      for (const old of all("[data-live]")) {
        const fresh = next.getElementById(old.id);
        if (!fresh) { held = true; continue; }
        if (old.dataset.live && old.dataset.live === fresh.dataset.live) continue; // as it was
        const at = document.activeElement;
        const astray = old.contains(at) && !counterpart(at, fresh); // what has the focus would be gone
        if (typing(old) || astray) held = true; else replace(old, fresh);
      }
      for (const name of ["h1"]) {
        const to = find(name), from = find(name, next);
        if (to && from) to.replaceWith(from);
      }
      if (current >= 0) select(current, false);
      if (held) { note(); return; }
      version = next.body.dataset.version;
      say("");
    } catch {
      // the socket says again when the server is back
    } finally {
      busy = false;
      if (again) { again = false; swap(); }
    }
  };
  // stale: one line that says why the page may not be as things are
  let lost = ""; // what does not answer; empty while all do
  let asOf = new Date(); // when the page was known to be right
  const clock = (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const say = (text) => {
    const at = find("#stale");
    const whole = lost ? `${lost} As of ${clock(asOf)}; what you fill in is kept.` : text;
    at.classList.toggle("lost", Boolean(lost));
    if (at.textContent !== whole) at.textContent = whole;
  };
  const note = () => say("Something changed since you began.");
  const lose = (what) => { if (lost !== what) { lost = what; say(""); } };
  const regain = () => { asOf = new Date(); if (lost) { lost = ""; say(""); } };

  // here is this page's address, with what it says after a form; a form that was refused stands at another
  const here = () => (location.pathname === new URL(document.body.dataset.here, location.href).pathname ? location.href : document.body.dataset.here);

  const beat = 12000; // the server says something every few seconds
  let wait = 1000;
  const listen = () => {
    const at = new URL(document.body.dataset.liveAt, location.href);
    at.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    at.searchParams.set("run", document.body.dataset.run || "");
    const socket = new WebSocket(at);
    let silence;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      clearTimeout(silence);
      lose("Connection to the inbox lost.");
      setTimeout(listen, wait);
      wait = Math.min(wait * 2, 10000);
    };
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => { socket.close(); end(); }, beat); // a dead line does not close by itself
    };
    heard();
    socket.addEventListener("message", (event) => {
      heard();
      wait = 1000;
      const said = JSON.parse(event.data);
      if (said.down) { lose(`${said.down} does not answer.`); return; }
      regain();
      if (!said.version || said.version === version) return;
      if (all("[data-live]").every(typing)) note(); else swap();
    });
    socket.addEventListener("close", end);
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
    if (lost) { event.preventDefault(); find("#stale").scrollIntoView({ block: "nearest" }); return; }
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
  for (const form of all("[data-begun]")) begun.add(region(form));
  if (version !== undefined) listen();
})();

"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const root = document.documentElement;
  const recall = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* a file may have no storage */ } };
  const paint = (theme) => { if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme; };
  let theme = ["light", "dark"].includes(recall()) ? recall() : "auto";
  paint(theme);

  function themes() {
    const button = document.getElementById("theme");
    const order = ["auto", "light", "dark"];
    const show = () => { button.textContent = `Theme: ${theme}`; };
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = order[(order.indexOf(theme) + 1) % order.length];
      paint(theme); remember(theme); show();
    });
    show();
  }

  const worth = (cell) => {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number.parseFloat(text.replaceAll(",", ""));
    return { text, number };
  };
  const compare = (a, b) => {
    if (!Number.isNaN(a.number) && !Number.isNaN(b.number)) return a.number - b.number;
    return a.text.localeCompare(b.text, undefined, { numeric: true });
  };

  function sorting(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = all("thead th", table);
    heads.forEach((head, index) => {
      if ("unsorted" in head.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      const [title, ...rest] = head.childNodes;
      button.append(title);
      head.replaceChildren(button, ...rest);
      head.setAttribute("aria-sort", "none");
      const numeric = head.classList.contains("number");
      button.addEventListener("click", () => {
        const cycle = numeric ? ["none", "descending", "ascending"] : ["none", "ascending", "descending"];
        const next = cycle[(cycle.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
        heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", next);
        if (next === "none") { body.append(...original); return; }
        const keyed = original.map((row) => ({ row, key: worth(row.cells[index]) }));
        const empty = ({ key }) => (numeric ? Number.isNaN(key.number) : key.text === "");
        const full = keyed.filter((item) => !empty(item)).sort((a, b) => compare(a.key, b.key));
        if (next === "descending") full.reverse();
        body.append(...[...full, ...keyed.filter(empty)].map((item) => item.row));
      });
    });
  }

  // A region that scrolls sideways says so, and keeps the columns that name its rows in sight.
  function scrolling(region) {
    const table = region.querySelector("table");
    const rows = [...table.tHead.rows, ...table.tBodies[0].rows];
    const places = [...table.tHead.rows[0].cells].flatMap((head, place) => ("stay" in head.dataset ? [place] : []));
    rows.forEach((row) => places.forEach((place) => row.cells[place].classList.add("stay")));
    const hint = document.createElement("p");
    hint.className = "sideways";
    hint.setAttribute("aria-hidden", "true");  // the region's label says it
    hint.textContent = "↔ This table goes on to the right: scroll it sideways";
    region.before(hint);
    const edges = () => {
      const rest = region.scrollWidth - region.clientWidth;
      region.classList.toggle("left", region.scrollLeft > 1);
      region.classList.toggle("right", rest - region.scrollLeft > 1);
      hint.hidden = rest <= 1;
    };
    const fix = () => {
      let left = 0;
      places.forEach((place) => {
        rows.forEach((row) => { row.cells[place].style.left = `${left}px`; });
        left += rows[0].cells[place].offsetWidth;
      });
      edges();
    };
    region.addEventListener("scroll", edges, { passive: true });
    new ResizeObserver(fix).observe(table);
    new ResizeObserver(fix).observe(region);
    fix();
  }

  function filters() {
    const form = document.getElementById("filters");
    const verdicts = document.getElementById("verdicts");
    const sections = all("section.table");
    const boxes = all("input[name=method]", form);
    const say = (id, text) => { const place = document.getElementById(id); if (place) place.textContent = text; };
    const list = (item, name) => item.dataset[name]?.split(" ").filter(Boolean) ?? [];
    const apply = () => {
      const want = new FormData(form);
      const has = (place) => boxes[place].checked;
      const some = (places) => places.length === 0 || places.some(has);
      const fits = (item) => ["dataset", "scale"].every((name) => !want.get(name) || !item.dataset[name] || item.dataset[name] === want.get(name));
      const open = new Set(sections.filter((item) => fits(item) && some(list(item, "methods"))).map((item) => item.dataset.section));
      all("[data-section]").forEach((item) => { item.hidden = !open.has(item.dataset.section); });
      all("[data-all]").forEach((item) => { item.hidden = !list(item, "all").every(has); });
      all("[data-any]").forEach((item) => {
        const places = list(item, "in");
        item.hidden = !some(list(item, "any")) || (places.length > 0 && !places.some((place) => open.has(place)));
      });
      document.getElementById("nothing").hidden = open.size > 0;
      say("shown", `${open.size} of ${sections.length} tables, ${boxes.filter((box) => box.checked).length} of ${boxes.length} methods`);
      if (!verdicts) return;
      const kinds = new Set(new FormData(verdicts).getAll("verdict"));
      const claims = all("[data-verdict]");
      claims.forEach((item) => { item.hidden = !list(item, "all").every(has) || !kinds.has(item.dataset.verdict) || !fits(item); });
      say("claims-shown", `${claims.filter((item) => !item.hidden).length} of ${claims.length} claims`);
    };
    const reset = () => { form.reset(); verdicts?.reset(); apply(); };
    for (const one of [form, verdicts]) {
      if (!one) continue;
      one.hidden = false;
      one.addEventListener("change", apply);
      one.addEventListener("submit", (event) => event.preventDefault());
      one.addEventListener("reset", () => setTimeout(apply));
    }
    reset();
    return reset;
  }

  function tips() {
    const tip = document.getElementById("tip");
    let owner = null;
    const hide = () => { owner?.removeAttribute("aria-describedby"); owner = null; tip.hidden = true; };
    const place = () => {
      const box = owner.getBoundingClientRect();
      const above = box.top - tip.offsetHeight - 6;
      tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${above > 0 ? above : box.bottom + 6}px`;
    };
    const show = (event) => {
      const next = event.target.closest?.("[data-tip]");
      if (!next) { if (!tip.contains(event.target)) hide(); return; }
      hide();
      owner = next;
      owner.setAttribute("aria-describedby", "tip");
      tip.textContent = owner.dataset.tip;
      tip.hidden = false;
      place();
    };
    // A link that gets the focus may scroll into view: its tip goes with it.
    const follow = () => { if (owner?.matches(":hover, :focus")) place(); else hide(); };
    document.addEventListener("mouseover", show);
    document.addEventListener("focusin", show);
    document.addEventListener("focusout", hide);
    document.addEventListener("scroll", follow, { passive: true, capture: true });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  }

  function zooming() {
    const large = document.getElementById("large");
    all("img[data-same]").forEach((image) => { image.src = document.getElementById(image.dataset.same).src; });
    all(".pictures img, .drawn img").forEach((image) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "zoom";
      button.setAttribute("aria-label", `Enlarge: ${image.alt}`);
      image.replaceWith(button);
      button.append(image);
      button.addEventListener("click", () => {
        large.querySelector("img")?.remove();
        large.querySelector("p").textContent = image.alt;
        const copy = image.cloneNode();
        ["id", "width", "height"].forEach((name) => copy.removeAttribute(name));
        copy.classList.toggle("smooth", Boolean(image.closest(".drawn")));
        large.prepend(copy);
        large.showModal();
      });
    });
    large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
  }

  function links(showAll) {
    const leftBy = new Map();
    let followed = false;
    const named = (hash) => { try { return decodeURIComponent(hash.slice(1)); } catch { return ""; } };
    const reveal = () => {
      const target = document.getElementById(named(location.hash));
      if (!target) return;
      if (target.closest("[hidden]")) showAll();
      for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
      setTimeout(() => {
        target.scrollIntoView({ block: "start" });
        (target.tagName === "DETAILS" ? target.firstElementChild : target).focus?.({ preventScroll: true });
      });
    };
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.('a[href^="#"]');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      leftBy.set(location.hash, link);
      // The same link twice changes no hash, but the reader still wants to be taken there.
      if (link.hash === location.hash) reveal(); else followed = true;
    });
    addEventListener("hashchange", () => {
      const link = followed ? null : leftBy.get(location.hash);
      followed = false;
      // Back again: to the link by which the reader left, not to the top of what was shown then.
      if (link?.checkVisibility()) { link.focus(); link.scrollIntoView({ block: "center" }); } else reveal();
    });
    reveal();
  }

  function unfolding() {
    const button = document.getElementById("unfold");
    button.hidden = false;
    button.addEventListener("click", () => {
      const open = button.textContent === "Open all";
      all(".record").forEach((record) => { record.open = open; });
      button.textContent = open ? "Close all" : "Open all";
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    all("table[data-sortable]").forEach(sorting);
    all(".scroll").forEach(scrolling);
    const showAll = filters();
    tips();
    zooming();
    unfolding();
    links(showAll);
  });
})();

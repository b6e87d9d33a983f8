"use strict";
(() => {
  const root = document.documentElement;
  const parts = () => document.querySelectorAll("main details");
  const narrow = matchMedia("(max-width: 60rem)");
  const contents = document.querySelector(".contents");

  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link) return;
    if (narrow.matches && contents.contains(link)) contents.open = false;
    if (link.hash === location.hash) openTarget();
  });

  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  if (location.hash) openTarget();

  const tools = document.querySelector(".tools");
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const wish = event.target.dataset.wish;
    if (wish === "print") print();
    else if (wish) for (const part of parts()) part.open = wish === "open";
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...parts()].filter((part) => !part.open);
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.open = false;
  });

  const links = new Map(
    [...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]),
  );
  const seen = new Set();
  const watch = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) seen.add(target.id);
      else seen.delete(target.id);
    }
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-64px 0px -70% 0px" });
  for (const part of document.querySelectorAll(".part")) watch.observe(part);

  const collator = new Intl.Collator(root.lang || undefined, { numeric: true });
  const number = /^[-+−]?\d+(?:\.\d+)?$/;
  const nothing = /^[–—-]?$/;
  const valueOf = (row, column) => (row.cells[column]?.textContent ?? "").trim();
  const compare = (a, b) =>
    number.test(a) && number.test(b)
      ? Number(a.replace("−", "-")) - Number(b.replace("−", "-"))
      : collator.compare(a, b);

  const sortable = (table) => {
    const body = table.tBodies[0];
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    if (!body || body.rows.length < 2) return;
    const first = [...body.rows];
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const order = next[head.getAttribute("aria-sort")];
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", order);
        const rows = [...first];
        if (order !== "none") {
          const way = order === "ascending" ? 1 : -1;
          rows.sort((x, y) => {
            const [a, b] = [valueOf(x, column), valueOf(y, column)];
            const empty = nothing.test(a) - nothing.test(b);
            return empty || way * compare(a, b);
          });
        }
        body.append(...rows);
      });
    });
  };
  document.querySelectorAll("main table").forEach(sortable);
})();

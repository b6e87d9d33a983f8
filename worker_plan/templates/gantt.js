(() => {
  "use strict";
  const place = document.getElementById("gantt-chart");
  const data = document.getElementById("gantt-data");
  const table = document.getElementById("gantt-table");
  if (!place || !data || !table) return;

  // The library takes names for markup, so names are escaped before it gets them. Where a page
  // lets nobody make elements from text but a named policy, this is that policy: it passes just
  // what the library draws with.
  const plain = (text) =>
    text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const foreign = /<(?!\/?(?:div|g|line|path|pattern|rect)\b)/i;
  if (window.trustedTypes) {
    try {
      trustedTypes.createPolicy("default", {
        createHTML: (html) => (foreign.test(html) ? null : html.replace(/\sstyle="[^"]*"/g, "")),
      });
    } catch { /* A policy forbids it; the library will say so when it draws. */ }
  }

  // Days and width of a column, in pixels; the widths are the library's.
  const MODES = { Day: [1, 38], Week: [7, 140], Month: [30, 120], Year: [365, 120] };
  const WIDEST = 100000;
  const GOOD = 2600;

  const modes = (first, last) => {
    const days = (Date.parse(last) - Date.parse(first)) / 864e5 + 1;
    const width = (mode) => (days / MODES[mode][0]) * MODES[mode][1];
    const fit = Object.keys(MODES).filter((mode) => width(mode) <= WIDEST);
    const best = fit.find((mode) => width(mode) <= GOOD) ?? "Year";
    // The library begins with the first one.
    return [best, ...fit.filter((mode) => mode !== best)];
  };

  // The library puts a name into the middle of its bar, which may be far away, and begins with
  // empty columns.
  const align = () => {
    let first = Infinity;
    for (const wrapper of place.querySelectorAll(".bar-wrapper")) {
      const x = Number(wrapper.querySelector(".bar").getAttribute("x"));
      wrapper.querySelector(".bar-label:not(.big)")?.setAttribute("x", x + 6);
      first = Math.min(first, x);
    }
    place.querySelector(".gantt-container").scrollLeft = first - 24;
  };

  const draw = () => {
    const tasks = JSON.parse(data.textContent);
    if (!tasks.length) return;
    const parents = new Set(tasks.filter((task, i) => tasks[i + 1]?.depth > task.depth));
    const bars = tasks.map((task) => ({
      id: task.id,
      name: plain(task.name),
      start: task.start,
      end: task.end,
      dependencies: task.after.join(","),
      custom_class: `${parents.has(task) ? "group" : "leaf"}-${task.critical ? "critical" : "slack"}`,
      task,
    }));
    // Dates as ISO 8601 writes them are in order as texts.
    const first = tasks.reduce((a, task) => (task.start < a ? task.start : a), tasks[0].start);
    const last = tasks.reduce((a, task) => (task.end > a ? task.end : a), tasks[0].end);
    new Gantt(place, bars, {
      view_modes: modes(first, last),
      view_mode_select: true,
      readonly: true,
      infinite_padding: false,
      today_button: false,
      scroll_to: "start",
      on_view_change: () => requestAnimationFrame(() => requestAnimationFrame(align)),
      container_height: Math.min(640, Math.max(260, 110 + 30 * bars.length)),
      bar_height: 18,
      padding: 12,
      holidays: {},
      language: document.documentElement.lang || "en",
      popup: ({ task: { task }, set_title, set_subtitle, set_details }) => {
        set_title(plain(task.name));
        set_subtitle(plain(task.description));
        set_details(plain(`${task.start} – ${task.end} · ${task.days}`));
      },
    });
  };

  const failed = (error) => {
    console.error(error);
    place.hidden = true;
    table.open = true;
    document.getElementById("gantt-failed").hidden = false;
  };

  place.hidden = false;
  table.open = false;
  // Labels are placed by their width, which nothing has before it is shown.
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    try { draw(); } catch (error) { failed(error); }
  }).observe(place);
})();

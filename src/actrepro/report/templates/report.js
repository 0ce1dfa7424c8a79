"use strict";
// Tables that sort and filter, where each number comes from, the theme. The page reads
// without all of this.
(() => {
  const PAGE = 50;
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // ---- theme ------------------------------------------------------------------------------
  const root = document.documentElement;
  root.classList.add("script");
  const themes = ["auto", "light", "dark"];
  const stored = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("actrepro-theme", value);
      return localStorage.getItem("actrepro-theme");
    } catch {
      return null;
    }
  };
  const themeButton = document.getElementById("theme");
  const dress = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    themeButton.textContent = `Theme: ${theme}`;
    themeButton.dataset.next = themes[(themes.indexOf(theme) + 1) % themes.length];
  };
  dress(themes.includes(stored()) ? stored() : "auto");
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    const { next } = themeButton.dataset;
    stored(next);
    dress(next);
  });

  // ---- tables -----------------------------------------------------------------------------
  // A number as readers see it: −0.0123, 35.87 ± 0.35%, < 0.001, 1,234, 2 h 5 min.
  const UNITS = { h: 3600, min: 60, s: 1 };
  const valueOf = (text) => {
    const plain = text.replaceAll("−", "-").replaceAll(",", "").replace(/^[<>≥≤]\s*/, "");
    const duration = [...plain.matchAll(/([\d.]+) (h|min|s)\b/g)];
    if (duration.length && /^[\d.]+ (h|min|s)\b/.test(plain)) {
      return duration.reduce((sum, [, amount, unit]) => sum + amount * UNITS[unit], 0);
    }
    const found = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?/i.exec(plain);
    return found ? Number(found[0]) : null;
  };
  const textOf = (cell) => (Array.isArray(cell) ? cell[0] : cell);
  const compare = (a, b) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    if (x !== null && y !== null) return x - y || a.localeCompare(b);
    return a.localeCompare(b, undefined, { numeric: true });
  };
  // Cells without a value come last in either order.
  const empty = (text) => text === "—" || text === "";

  class Sorted {
    constructor(frame) {
      this.frame = frame;
      this.table = frame.querySelector("table");
      this.body = this.table.tBodies[0];
      this.heads = [...this.table.querySelectorAll("tr.columns th")];
      this.data = frame.querySelector("script.rows");
      this.looks = this.heads.map((head) => head.className);
      this.size = PAGE;
      this.column = null;
      this.down = false;
      this.words = [];
      for (const [place, head] of this.heads.entries()) this.button(head, place);
      if (frame.classList.contains("searched")) this.tools();
    }

    // Rows are parsed on first use, so that large tables do not slow down loading.
    get rows() {
      this.read ??= this.data ? JSON.parse(this.data.textContent).map((one) => this.ofData(one))
        : [...this.body.rows].map((row) => this.ofMarkup(row));
      return this.read;
    }

    ofMarkup(row) {
      const cells = [...row.cells];
      const texts = cells.map((cell) => cell.firstChild?.textContent ?? "");
      return { texts, all: row.textContent.toLowerCase(), row: () => row };
    }

    ofData([cells, note, failed, key]) {
      const all = [...cells.flat(), note].join(" ").toLowerCase();
      return { texts: cells.map(textOf), all, row: () => this.build(cells, note, failed, key) };
    }

    build(cells, note, failed, key) {
      const row = make("tr");
      if (failed) row.className = "failed";
      if (key) row.dataset.key = key;
      for (const [place, cell] of cells.entries()) {
        const [text, below, hint, kind] = Array.isArray(cell) ? cell : [cell];
        const element = make(place ? "td" : "th", { className: this.looks[place] }, text);
        if (!place) element.scope = "row";
        if (kind) element.classList.add(...kind.split(" "));
        if (hint) element.title = hint;
        if (below) element.append(make("span", { className: "below" }, below));
        if (!place && note) element.append(make("span", { className: "note" }, note));
        row.append(element);
      }
      return row;
    }

    button(head, place) {
      const button = make("button", { type: "button", className: "sort" });
      button.append(...head.childNodes);
      button.addEventListener("click", () => this.sort(place));
      head.append(button);
      head.setAttribute("aria-sort", "none");
    }

    tools() {
      const title = this.frame.getAttribute("aria-label");
      const search = make("input", { type: "search", placeholder: "filter rows", autocomplete: "off" });
      search.setAttribute("aria-label", `Filter the rows of ${title}`);
      search.addEventListener("input", () => {
        this.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        this.size = PAGE;
        this.show();
      });
      this.status = make("span", { className: "soft" });
      this.status.setAttribute("role", "status");
      this.frame.prepend(make("div", { className: "tools" }, search, this.status));
      if (!this.data) return;
      this.more = make("button", { type: "button", textContent: `Show ${PAGE} more` });
      this.more.addEventListener("click", () => {
        this.size += PAGE;
        this.show();
      });
      this.frame.querySelector("p.rest").remove();
      this.frame.append(make("div", { className: "tools" }, this.more));
      const first = this.body.rows.length;
      const total = Number(this.frame.dataset.rows);
      this.status.textContent = `the first ${first} of ${total} rows`;
    }

    sort(place) {
      this.down = this.column === place && !this.down;
      this.column = place;
      for (const [index, head] of this.heads.entries()) {
        const now = index === place ? (this.down ? "descending" : "ascending") : "none";
        head.setAttribute("aria-sort", now);
      }
      this.show();
    }

    order(found) {
      const { column, down } = this;
      if (column === null) return found;
      return found.toSorted((one, other) => {
        const [a, b] = [one.texts[column], other.texts[column]];
        if (empty(a) || empty(b)) return empty(a) - empty(b);
        return down ? compare(b, a) : compare(a, b);
      });
    }

    show() {
      const found = this.rows.filter(({ all }) => this.words.every((word) => all.includes(word)));
      const ordered = this.order(found);
      const shown = this.data ? ordered.slice(0, this.size) : ordered;
      this.body.replaceChildren(...shown.map((one) => one.row()));
      if (this.more) this.more.hidden = shown.length === ordered.length;
      if (this.status) {
        const part = shown.length < found.length ? `the first ${shown.length} of ` : "";
        this.status.textContent = `${part}${found.length} of ${this.rows.length} rows`;
      }
    }
  }
  for (const frame of document.querySelectorAll(".scroll")) new Sorted(frame);

  // ---- where a number comes from ----------------------------------------------------------
  const panel = document.getElementById("origin");
  const lines = panel.querySelector("dl");
  const line = (name, value) => {
    if (value) lines.append(make("dt", {}, name), make("dd", {}, make("code", {}, value)));
  };
  const ofCell = (cell) => {
    const row = cell.closest("tr");
    const table = cell.closest("table");
    const head = table.querySelectorAll("tr.columns th")[cell.cellIndex];
    const names = [...row.cells].slice(0, Number(table.dataset.names) || 1);
    const named = names.map((one) => one.firstChild?.textContent.trim()).filter(Boolean);
    return { what: `${named.join(", ")}: ${head?.textContent.trim() ?? ""}`, key: row.dataset.key };
  };
  const tell = (element) => {
    const holder = element.closest("[data-source]");
    if (!holder) return;
    const { source, function: written } = holder.dataset;
    const [file, ...rest] = source.split(": ");
    const cell = element.closest("td, th");
    const { what, key } = cell && holder.contains(cell) ? ofCell(cell) : {};
    lines.replaceChildren();
    if (what) lines.append(make("dt", {}, "number"), make("dd", {}, what));
    line("file", file);
    line("key", key || rest.join(": "));
    line("computed by", written);
    if (written?.startsWith("actrepro.")) {
      line("in", `src/${written.split(".").slice(0, -1).join("/")}.py`);
    }
    if (file.startsWith("results/") && !file.includes("*") && !file.includes("{")) {
      line("to make it", `snakemake --cores 2 ${file}`);
    }
    panel.hidden = false;
  };
  document.querySelector("main").addEventListener("click", (event) => {
    if (event.target.closest("a, button, input, select, summary, label, [data-own-click]")) return;
    if (String(getSelection())) return;
    const told = event.target.closest("td, tbody th, figure, [data-source]:not(table)");
    if (told) tell(told);
  });
  for (const button of document.querySelectorAll("button.origin")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      tell(button);
      panel.focus();
    });
  }
  const close = () => (panel.hidden = true);
  panel.querySelector("button").addEventListener("click", close);
  addEventListener("keydown", ({ key }) => key === "Escape" && close());

  // ---- places -----------------------------------------------------------------------------
  // A link to a target inside a closed element opens that element.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    let around = target?.closest("details");
    if (!around) return;
    for (; around; around = around.parentElement.closest("details")) around.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      if (isIntersecting) link?.setAttribute("aria-current", "true");
      else link?.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -60% 0px" });
  for (const section of document.querySelectorAll("main > section")) seen.observe(section);
})();

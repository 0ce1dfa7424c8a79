(() => {
  "use strict";
  // The pages of text, one per model: coloured by disagreement, with what each seed expects.
  const BASE = 36;
  const WIDTH = 2;
  const STRONGEST = 50;
  const NEAR = 16;
  const RANKS = ["likeliest", "second", "third"];
  const SHAPES = { " ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍" };
  const WORDS = { " ": "space", "\n": "new line", "\t": "tab" };

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const unpacked = (text) =>
    Array.from({ length: text.length / WIDTH }, (_, place) =>
      parseInt(text.slice(WIDTH * place, WIDTH * (place + 1)), BASE));
  // Invisible characters get a visible shape; a combining mark gets a base to combine with.
  const shape = (symbol) => {
    if (symbol in SHAPES) return SHAPES[symbol];
    if (/^\p{M}$/u.test(symbol)) return `◌${symbol}`;
    if (!/^[\p{C}\p{Z}]$/u.test(symbol)) return symbol;
    return `U+${symbol.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  };
  const fixed = (perMille, digits) => (perMille / 1000).toFixed(digits);

  class Page {
    constructor(figure) {
      const data = JSON.parse(figure.querySelector("script").textContent);
      this.text = [...data.text];
      this.before = [...data.context];
      this.most = data.most;
      this.cells = data.cells.map((cell) => ({
        ...cell,
        variation: unpacked(cell.variation),
        churn: unpacked(cell.churn),
        top: cell.top.map((seed) => seed.map((rank) => [...rank])),
        share: cell.share.map((seed) => seed.map(unpacked)),
      }));
      this.letters = figure.querySelector(".letters");
      this.expected = figure.querySelector(".expected");
      this.select = figure.querySelector("select");
      this.place = 0;
      this.draw();
      this.colour();
      const { variation } = this.cell;
      this.choose(variation.indexOf(Math.max(...variation)));
      this.listen();
      figure.querySelector(".most").textContent = `${data.most.toFixed(2)} total variation`;
      for (const part of figure.querySelectorAll("[hidden]")) part.hidden = false;
    }

    get cell() {
      return this.cells[this.select ? Number(this.select.value) : 0];
    }

    draw() {
      this.spans = this.text.map((symbol) => {
        const span = make("span", { textContent: shape(symbol), tabIndex: -1 });
        span.setAttribute("role", "option");
        if (symbol in SHAPES) span.className = "blank";
        return span;
      });
      const before = this.before.map((symbol) => shape(symbol) + (symbol === "\n" ? "\n" : ""));
      this.letters.append(make("span", { className: "before", textContent: before.join("") }));
      this.spans.forEach((span, place) => {
        this.letters.append(span);
        if (this.text[place] === "\n") this.letters.append("\n");
        // To a browser the shapes of spaces are letters; without break points lines would break inside words.
        if (this.text[place] === " ") this.letters.append(make("wbr"));
      });
    }

    colour() {
      const { variation } = this.cell;
      this.spans.forEach((span, place) => {
        const share = variation[place] / 1000 / this.most;
        span.style.setProperty("--strength", `${(STRONGEST * Math.min(share, 1)).toFixed(1)}%`);
        const name = WORDS[this.text[place]] || shape(this.text[place]);
        span.setAttribute("aria-label", `${name}, ${fixed(variation[place], 2)}`);
      });
    }

    // One character can be reached with Tab; the arrow keys move on from it.
    choose(place) {
      const last = this.spans[this.place];
      last.tabIndex = -1;
      last.setAttribute("aria-selected", "false");
      this.place = place;
      this.spans[place].tabIndex = 0;
      this.spans[place].setAttribute("aria-selected", "true");
      this.tell();
    }

    tell() {
      const { cell, place } = this;
      const symbol = this.text[place];
      const start = [...this.before, ...this.text.slice(0, place)].slice(-NEAR);
      const pairs = (cell.n * (cell.n - 1)) / 2;
      const scores = [
        `total variation ${fixed(cell.variation[place], 3)}`,
        `churn ${fixed(cell.churn[place], 2)}`,
      ];
      const over = `over ${pairs} ${pairs === 1 ? "pair" : "pairs"} of ${cell.n} seeds`;
      const shown = cell.seeds.length < cell.n ? `; the first ${cell.seeds.length} below` : "";
      this.expected.replaceChildren(
        make("p", {}, "After ", make("b", { textContent: start.map(shape).join("") }), " comes ",
          make("b", { className: "true", textContent: WORDS[symbol] || shape(symbol) })),
        make("p", { textContent: `${scores.join(", ")}, ${over}${shown}` }),
        this.table(symbol),
      );
    }

    table(symbol) {
      const { cell, place } = this;
      const heads = ["seed", ...RANKS.slice(0, cell.top[0].length)];
      const rows = cell.seeds.map((seed, run) => {
        const row = make("tr", {}, make("th", { scope: "row", textContent: seed }));
        cell.top[run].forEach((rank, at) => {
          const found = rank[place];
          const name = make("b", { textContent: shape(found) });
          if (found === symbol) name.className = "true";
          row.append(make("td", {}, name, ` ${cell.share[run][at][place]}%`));
        });
        return row;
      });
      const head = heads.map((name) => make("th", { scope: "col", textContent: name }));
      return make("table", {},
        make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
    }

    listen() {
      const follow = ({ target }) => {
        const place = this.spans.indexOf(target);
        if (place >= 0 && place !== this.place) this.choose(place);
      };
      for (const kind of ["mouseover", "focusin", "click"]) {
        this.letters.addEventListener(kind, follow);
      }
      this.letters.addEventListener("keydown", (event) => {
        const place = this.next(event.key);
        if (place === null || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.choose(place);
        this.spans[place].focus();
      });
      if (this.select) {
        this.select.addEventListener("change", () => {
          this.colour();
          this.tell();
        });
      }
    }

    next(key) {
      const last = this.spans.length - 1;
      const steps = {
        ArrowLeft: () => Math.max(0, this.place - 1),
        ArrowRight: () => Math.min(last, this.place + 1),
        ArrowUp: () => this.across(-1),
        ArrowDown: () => this.across(1),
        Home: () => 0,
        End: () => last,
      };
      return key in steps ? steps[key]() : null;
    }

    // The nearest character of the line above or below, as the text is laid out now.
    across(step) {
      const from = this.spans[this.place];
      const inside = (place) => place >= 0 && place < this.spans.length;
      let place = this.place;
      while (inside(place) && this.spans[place].offsetTop === from.offsetTop) place += step;
      if (!inside(place)) return this.place;
      const line = this.spans[place].offsetTop;
      let best = place;
      const apart = (at) => Math.abs(this.spans[at].offsetLeft - from.offsetLeft);
      for (; inside(place) && this.spans[place].offsetTop === line; place += step) {
        if (apart(place) < apart(best)) best = place;
      }
      return best;
    }
  }

  for (const figure of document.querySelectorAll("figure.disagreement")) new Page(figure);
})();

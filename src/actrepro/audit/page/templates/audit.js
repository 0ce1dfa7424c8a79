"use strict";
// What is chosen stands in the address after #, so that a choice of rows can be linked.
(() => {
  const form = document.getElementById("filters");
  const rows = [...document.querySelectorAll("table.claims tbody tr")];
  const selects = [...form.querySelectorAll("select")];
  const boxes = [...form.querySelectorAll("input[name=verdict]")];
  const search = form.elements.text;
  const words = new Map();

  const wordsOf = (row) => {
    if (!words.has(row)) words.set(row, row.textContent.toLowerCase());
    return words.get(row);
  };

  const chosen = () => {
    const view = new URLSearchParams();
    const verdicts = boxes.filter((box) => box.checked).map((box) => box.value);
    if (verdicts.length) view.set("verdict", verdicts.join(","));
    for (const one of selects) if (one.value) view.set(one.name, one.value);
    if (search.value.trim()) view.set("text", search.value.trim());
    return view;
  };

  const choose = (view) => {
    const verdicts = (view.get("verdict") || "").split(",");
    for (const box of boxes) box.checked = verdicts.includes(box.value);
    for (const one of selects) {
      one.value = view.get(one.name) || "";
      if (one.selectedIndex < 0) one.value = "";
    }
    search.value = view.get("text") || "";
  };

  const show = () => {
    const view = chosen();
    const verdicts = view.has("verdict") ? view.get("verdict").split(",") : null;
    const asked = (view.get("text") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) =>
      (!verdicts || verdicts.includes(row.dataset.verdict)) &&
      selects.every((one) => !one.value || row.dataset[one.name] === one.value) &&
      asked.every((word) => wordsOf(row).includes(word));
    let count = 0;
    for (const row of rows) {
      const fit = fits(row);
      row.hidden = !fit;
      count += fit;
    }
    document.getElementById("shown").textContent = `${count} of ${rows.length} shown`;
    document.getElementById("none").hidden = count > 0;
    return view;
  };

  const remember = () => {
    const view = show().toString();
    const place = location.pathname + location.search;
    history.replaceState(null, "", view ? `#${view}` : place);
  };

  // An address ends in a choice of rows, or in the id of one row or section.
  const follow = () => {
    const asked = location.hash.slice(1);
    if (asked.includes("=")) {
      choose(new URLSearchParams(asked));
      show();
      document.getElementById("claims").scrollIntoView();
      return;
    }
    const row = asked.startsWith("claim-") && document.getElementById(asked);
    if (!row) return;
    if (row.hidden) {
      choose(new URLSearchParams());
      show();
    }
    row.querySelector("details").open = true;
    row.scrollIntoView();
  };

  // Of the rows that are shown; what is open is printed.
  const openChecks = ({ target }) => {
    const open = target.getAttribute("aria-pressed") === "false";
    target.setAttribute("aria-pressed", open);
    target.textContent = open ? "Close all checks" : "Open their checks";
    for (const row of rows) row.querySelector("details").open = open && !row.hidden;
  };

  for (const link of document.querySelectorAll("a[data-view]")) {
    link.href = `#${new URLSearchParams([link.dataset.view.split("=")])}`;
  }
  form.hidden = false;
  form.addEventListener("input", remember);
  form.addEventListener("reset", () => setTimeout(remember));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("open").addEventListener("click", openChecks);
  addEventListener("hashchange", follow);
  show();
  follow();
})();

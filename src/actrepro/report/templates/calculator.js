// The calculator only looks up, multiplies and writes sentences; statistics are computed beforehand.
(() => {
  const duration = (seconds) => {
    const whole = Math.round(seconds);
    if (whole < 60) return `${seconds < 10 ? seconds.toFixed(1) : whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    const hours = Math.floor(whole / 3600).toLocaleString("en-US");
    return `${hours} h ${Math.floor((whole % 3600) / 60)} min`;
  };
  const range = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)].map((one) => one.toFixed(3));
    return low === high ? low : `${low} to ${high}`;
  };
  const pairs = (k) => (k * (k - 1)) / 2;

  const costs = (data, chosen, every) => {
    const { models, k, n, scale } = chosen;
    const known = models.filter((name) => data.seconds[scale][name] !== undefined);
    const one = known.reduce((sum, name) => sum + data.seconds[scale][name], 0);
    const time = duration(one * k * n);
    const saved = duration(one * (every - k) * n);
    const missing = models.length - known.length;
    return [
      ["Runs", `${(known.length * k * n).toLocaleString("en-US")} (${known.length} × ${k} × ${n})`
        + (missing ? `; nothing is known of ${missing} of the models at this scale` : "")],
      ["Training", k < every ? `${time}; ${saved} less than with all ${every} activations` : time],
    ];
  };

  const certainty = (data, { models, k, n }, every) => {
    const asked = `${pairs(k)} of ${pairs(every)} pairs of activations in each model`;
    const open = pairs(every) - pairs(k);
    const told = [["Compared", open ? `${asked}; of the other ${open} nothing will be known` : asked]];
    if (k < 2) return told;
    const smallest = Math.min(1, data.smallest[n - data.first] * pairs(k));
    const reach = smallest < data.alpha ? "" : `: none can reach ${data.alpha}, which takes ${data.needed[k]} seeds`;
    told.push(["Smallest corrected p", `${smallest < 0.001 ? "< 0.001" : smallest.toFixed(3)}${reach}`]);
    const unit = data.detectable[k][n - data.first];
    const found = models.filter((name) => name in data.spread).map((name) => unit * data.spread[name]);
    const sizes = unit === null || !found.length ? "none, whatever its size" : `${range(found)}, by model`;
    told.push(["Detectable difference", `${sizes} (${data.power} power); the margin is ${data.margin}`]);
    return told;
  };

  const show = (holder, data) => {
    const form = holder.querySelector("form");
    const list = holder.querySelector(".found");
    const of = (name) => [...form.querySelectorAll(`input[name=${name}]`)];
    const checked = (name) => of(name).filter((one) => one.checked).map((one) => one.value);
    const n = Number(form.elements.seeds.value);
    const chosen = { models: checked("model"), k: checked("activation").length, n };
    chosen.scale = form.elements.scale.value;
    form.querySelector("output").textContent = n;
    const every = of("activation").length;
    const lines = [...costs(data, chosen, every), ...certainty(data, chosen, every)];
    list.replaceChildren(...lines.flatMap(([name, value]) => {
      const [term, told] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      told.textContent = value;
      return [term, told];
    }));
  };

  for (const holder of document.querySelectorAll(".calculator")) {
    const data = JSON.parse(holder.querySelector("script").textContent);
    const form = holder.querySelector("form");
    form.hidden = false;
    holder.querySelector(".found").hidden = false;
    form.addEventListener("input", () => show(holder, data));
    form.addEventListener("submit", (event) => event.preventDefault());
    show(holder, data);
  }
})();

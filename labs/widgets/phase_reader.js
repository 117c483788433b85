// A learning curve as it looks while it is being drawn: what is known at this step, and what not?
function render({ model, el }) {
  const runs = model.get("runs"), floor = model.get("floor");
  ui.mount(el, { title: "Read a run as it goes", label: "Phase reader" });
  const WIDTH = 430, LEFT = 48, RIGHT = 12, NAMES = 20, TOP = 44, PANEL = 92, GAP = 26;
  const FOOT = TOP + 3 * PANEL + 2 * GAP, HEIGHT = FOOT + 42;
  const shade = { "on the floor": ["muted", 0.13], rising: ["orange", 0.22], settled: ["green", 0.18] };
  const panels = [["success", "success", "blue"], ["critic_loss", "critic loss", "red"], ["actor_loss", "actor loss", "green"]];

  const s = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const chart = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "pnc-phases", role: "img" });
  const note = ui.h("p", { class: "pnc-phases-note", "aria-live": "polite" });
  const most = Math.max(...runs.map((run) => run.steps.length)) - 1;
  const current = () => runs[model.get("run")];
  const place = () => Math.min(model.get("point"), current().steps.length - 1);
  const thousands = (step) => `${(step / 1000).toFixed(step % 1000 ? 1 : 0)} K`;
  const slider = ui.slider(model, "point", {
    label: "Environment steps so far", max: most,
    format: (point) => `${current().steps[Math.min(point, current().steps.length - 1)].toLocaleString("en")} steps`,
  });
  const controls = [slider];
  if (runs.length > 1) controls.unshift(ui.select(model, "run", { label: "Run", options: runs.map((run, i) => [i, run.label]) }));
  el.append(chart, ui.row(ui.col(...controls), ui.col(ui.row(ui.player(model, "point", { max: most, fps: 3 })))), note);

  chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect(), { steps } = current();
    const x = (event.clientX - box.left) / box.width * WIDTH;
    const wanted = (x - LEFT) / (WIDTH - LEFT - RIGHT) * steps[steps.length - 1];
    const nearest = steps.reduce((best, step, i) => (Math.abs(step - wanted) < Math.abs(steps[best] - wanted) ? i : best), 0);
    model.set("point", nearest);
    model.save_changes();
  });

  function draw() {
    const run = current(), point = place(), last = run.steps[run.steps.length - 1];
    const x = (step) => LEFT + step / last * (WIDTH - LEFT - RIGHT);
    const parts = [];
    for (const [name, start, end] of run.phases) {
      const left = x(run.steps[start]), right = x(run.steps[Math.min(end + 1, run.steps.length - 1)]);
      const [color, opacity] = shade[name];
      parts.push(s("rect", { x: left, y: NAMES, width: right - left, height: FOOT - NAMES, fill: `var(--pnc-${color})`, opacity }));
      parts.push(s("text", { x: (left + right) / 2, y: NAMES - 6, "text-anchor": "middle", class: "pnc-phases-name" }, name));
    }
    panels.forEach(([column, title, color], row) => {
      const values = run[column], known = values.filter((value) => value !== null);
      const low = column === "success" ? 0 : Math.min(0, ...known), high = column === "success" ? 1 : Math.max(0, ...known);
      const bottom = TOP + (row + 1) * PANEL + row * GAP;
      const y = (value) => bottom - (value - low) / (high - low || 1) * (PANEL - 8);
      const tick = (value, text) => parts.push(
        s("path", { d: `M${LEFT} ${y(value)}H${WIDTH - RIGHT}`, class: "pnc-phases-axis" }),
        s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, text));
      const text = (value) => (column === "success" ? `${Math.round(100 * value)}%` : value ? value.toPrecision(2).replace("-", "−") : "0");
      const ticks = [0]; // 0 and the ends, unless one would stand on it
      for (const value of [low, high]) if (Math.abs(y(value) - y(0)) > 16) ticks.push(value);
      for (const value of ticks) tick(value, text(value));
      parts.push(s("text", { x: LEFT + 5, y: bottom - PANEL, class: "pnc-phases-name" }, title));
      if (column === "success") {
        parts.push(s("path", { d: `M${LEFT} ${y(floor)}H${WIDTH - RIGHT}`, fill: "none", stroke: "var(--pnc-ink)", "stroke-dasharray": "2 4" }));
        const [a, b, c] = [y(run.low[point]), y(run.high[point]), x(run.steps[point])];
        parts.push(s("path", { d: `M${c - 5} ${a}h10M${c - 5} ${b}h10M${c} ${a}V${b}`, stroke: "var(--pnc-ink)", "stroke-width": 2 }));
      }
      // What lies ahead is drawn faintly: nobody has it when the decision is made.
      const line = (from, to) => values.slice(from, to).map((value, i) => (value === null ? null : `${x(run.steps[from + i])},${y(value)}`)).filter(Boolean).join(" ");
      parts.push(s("polyline", { points: line(0, values.length), fill: "none", stroke: `var(--pnc-${color})`, class: "pnc-phases-ahead" }));
      parts.push(s("polyline", { points: line(0, point + 1), fill: "none", stroke: `var(--pnc-${color})`, "stroke-width": 3 }));
      if (values[point] !== null) {
        const [cx, cy] = [x(run.steps[point]), y(values[point])], rightward = cx < WIDTH * 0.75;
        parts.push(s("circle", { cx, cy, r: 4.5, fill: `var(--pnc-${color})`, stroke: "var(--pnc-paper)" }));
        parts.push(s("text", { x: cx + (rightward ? 10 : -10), y: cy < bottom - PANEL / 2 ? cy + 18 : cy - 9, "text-anchor": rightward ? "start" : "end", class: "pnc-phases-value" },
          column === "success" ? text(values[point]) : values[point].toPrecision(3).replace("-", "−")));
      }
    });
    const now = x(run.steps[point]);
    parts.push(s("path", { d: `M${now} ${NAMES}V${FOOT}`, class: "pnc-phases-now", fill: "none" }));
    for (const share of [0, 0.5, 1]) parts.push(s("text", { x: x(share * last), y: FOOT + 17, "text-anchor": share === 1 ? "end" : share ? "middle" : "start" }, thousands(Math.round(share * last))));
    parts.push(s("text", { x: WIDTH / 2, y: FOOT + 35, "text-anchor": "middle" }, "environment steps; dotted: success of doing nothing"));
    chart.replaceChildren(...parts);
    const phase = run.phases.find(([, start, end]) => point >= start && point <= end)[0];
    chart.setAttribute("aria-label", `${run.label} after ${run.steps[point].toLocaleString("en")} steps: ${phase}.`);
    note.replaceChildren(ui.h("strong", {}, `Phase: ${phase}. `), run.notes[point]);
  }
  return ui.redraw(model, ["run", "point"], draw);
}
export default { render };

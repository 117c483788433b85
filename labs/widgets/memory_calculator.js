// How large is a replay memory of pictures? The arithmetic is that of memory_calculator.py.
const STEPS = 50;

function render({ model, el }) {
  ui.mount(el, { title: "What a replay memory costs", label: "Memory calculator" });
  const bars = ui.h("div", { class: "pnc-memory" });
  const verdict = ui.note();
  verdict.setAttribute("aria-live", "polite");
  el.append(ui.row(
    ui.col(
      ui.slider(model, "capacity", { label: "Transitions", min: 10, max: 1000, step: 10, format: (k) => `${k} K` }),
      ui.slider(model, "size", { label: "Height and width of a frame", min: 36, max: 128, step: 4, format: (n) => `${n} px` }),
      ui.slider(model, "stack", { label: "Frames in an observation", min: 1, max: 8 }),
    ),
    ui.col(
      ui.slider(model, "memory", { label: "Your memory", min: 4, max: 256, step: 4, format: (n) => `${n} GB` }),
      ui.checkbox(model, "float32", { label: "float32 instead of uint8" }),
    ),
  ), bars, verdict);

  function draw() {
    const [capacity, size, stack, memory] = ["capacity", "size", "stack", "memory"].map((t) => model.get(t));
    const frame = 3 * size * size * (model.get("float32") ? 4 : 1);
    const stock = 1000 * capacity * 2 * stack * frame / 1e9;
    const once = 1000 * capacity * frame * (STEPS + 1) / STEPS / 1e9;
    const top = Math.max(stock, once, memory) * 1.05;
    const line = (name, value, color) => ui.h("div", { class: "pnc-bar-row" },
      ui.h("span", { class: "pnc-bar-name" }, name),
      ui.h("span", { class: "pnc-bar-track" },
        ui.h("span", { class: "pnc-bar", style: `width:${100 * value / top}%; background: var(--pnc-${color})` }),
        ui.h("span", { class: "pnc-bar-mark", style: `left:${100 * memory / top}%`, title: "your memory" })),
      ui.h("output", { class: "pnc-number" }, `${value.toFixed(1)} GB`));
    bars.replaceChildren(line("obs and next_obs, whole stacks", stock, "blue"), line("every frame once", once, "green"));
    const fits = (value) => (value < memory ? "fits" : "does not fit");
    verdict.textContent = `The line marks your ${memory} GB. Stored as obs and next_obs it ${fits(stock)}; stored once it ${fits(once)}, ` +
      `at ${(stock / once).toFixed(1)} times less.`;
  }
  return ui.redraw(model, ["capacity", "size", "stack", "memory", "float32"], draw);
}
export default { render };
